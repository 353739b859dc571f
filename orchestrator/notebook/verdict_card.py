"""A verdict as HTML: the word, the one rate with its interval, what each channel and count says, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.notebook.fragment import Markup, badge, escaped, fragment, list_of, paragraph, plain_table
from orchestrator.notebook.marks import count_mark, leaking, mark_of
from orchestrator.notebook.rates import rate, significant

_CHANNELS = {
    "rss": "RSS",
    "rss_anon": "leak series (anonymous, shared, swap)",
    "live": "live heap",
    "nonmalloc": "outside malloc",
    "file": "file pages",
}


def verdict_card(verdict: Any) -> str:
    """Return a verdict of any kind as HTML that stands by itself."""
    per = "call" if hasattr(verdict, "calls") else "iteration"
    named = " ".join(
        filter(None, (_text(verdict, "file"), _text(verdict, "experiment"), _text(verdict, "series")))
    )
    grows = rate(verdict.rate_mb_per_iteration, verdict.ci_low, verdict.ci_high)
    channel = _CHANNELS.get(verdict.rate_channel or "", verdict.rate_channel)
    said = f"{grows} MB per {per}, {channel}" if channel and verdict.rate_mb_per_iteration is not None else ""
    head = f"<p>{badge(mark_of(verdict.verdict))} {escaped(said)}</p>"
    rows = [
        (_CHANNELS.get(name, name), mark_of(each.verdict).word, rate(*_slope(each)))
        for name, each in _pairs(verdict.channels)
    ]
    table = plain_table(("Channel", "Verdict", f"MB per {per} (95 %)"), rows) if rows else ""
    settle = paragraph("What would settle it:", "note") + list_of(verdict.settle) if verdict.settle else ""
    counts = [
        f"<p>{badge(count_mark(name))} {escaped(count_rate(found, per))}</p>{list_of(found.reasons)}"
        for name, found in leaking(verdict)
    ]
    title = paragraph(named, "said") if named else ""
    return fragment(title, head, table, list_of(verdict.reasons), *counts, settle)


def badges(verdict: Any) -> Markup:
    """Return a verdict's word in its colour, and a red badge for descriptors, and for threads, that leak."""
    counts = [badge(count_mark(name)) for name, _ in leaking(verdict)]
    return Markup(" ".join([badge(mark_of(verdict.verdict)), *counts]))


def count_rate(found: Any, per: str = "iteration") -> str:
    """Return ``1.00 (0.99 to 1.01) per iteration, 12 at first and 61 at last`` of descriptors or threads."""
    grows = rate(found.rate_per_iteration, found.ci_low, found.ci_high)
    return f"{grows} per {per}, {found.first} at first and {found.last} at last"


def words_of(verdict: Any) -> str:
    """Return ``no leak (flat)``, and what else leaks: ``no leak (flat), leaks descriptors (1.00 per iteration)``."""
    counts = [
        f", leaks {name} ({significant(found.rate_per_iteration)} per iteration)"
        for name, found in leaking(verdict)
    ]
    return mark_of(verdict.verdict).word + "".join(counts)


def _text(verdict: object, name: str) -> str:
    value = getattr(verdict, name, None)
    return value if isinstance(value, str) else ""


def _pairs(channels: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    if isinstance(channels, Mapping):
        return channels.items()
    return channels


def _slope(channel: Any) -> tuple[float | None, float | None, float | None]:
    """Return rate and interval of a channel, as the analysis has it or as files keep it."""
    slope = getattr(channel, "slope", None)
    if slope is not None:
        return slope.rate, slope.low, slope.high
    return channel.rate_mb_per_iteration, channel.ci_low, channel.ci_high

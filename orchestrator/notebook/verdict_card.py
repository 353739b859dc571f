"""A verdict as HTML: the word, the one rate with its interval, what each channel says, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.notebook.colors import VERDICTS
from orchestrator.notebook.fragment import Markup, badge, escaped, fragment, list_of, paragraph, plain_table
from orchestrator.notebook.rates import rate

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
    head = f"<p>{verdict_badge(verdict.verdict)} {escaped(said)}</p>"
    rows = [
        (_CHANNELS.get(name, name), each.verdict, rate(*_slope(each)))
        for name, each in _pairs(verdict.channels)
    ]
    table = plain_table(("Channel", "Verdict", f"MB per {per} (95 %)"), rows) if rows else ""
    settle = paragraph("What would settle it:", "note") + list_of(verdict.settle) if verdict.settle else ""
    return fragment(paragraph(named, "said") if named else "", head, table, list_of(verdict.reasons), settle)


def verdict_badge(word: str) -> Markup:
    """Return a verdict's word in its colour, with its sign."""
    color, sign = VERDICTS.get(word, ("muted", "–"))
    return badge(sign, word, color)


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

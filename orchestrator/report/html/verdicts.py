"""Judgements in words, the same on the page and in the Markdown summary. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.judgement import Judgement
from orchestrator.report.html.content import ExperimentContent

CHANNELS: dict[str, str] = {
    "rss": "RSS",
    "rss_anon": "anonymous memory",
    "live": "the live heap",
    "nonmalloc": "memory outside malloc",
    "file": "file pages",
}
PARTS: dict[str, str] = {
    "live_heap": "live heap",
    "held_free": "held but free",
    "outside_malloc": "outside malloc",
    "file_pages": "file pages",
    "swap": "swap",
}
_MEANINGS: dict[str, str] = {
    "leak": "leaks",
    "slow-growth": "grows ever more slowly, but is not at rest",
    "plateau": "does not leak: it rose and came to rest",
    "flat": "does not leak: it stays where it began",
    "bounded": "does not leak: it moves within bounds that do not rise",
    "inconclusive": "is not settled",
}


def significant(value: float | None) -> str:
    """Return a rate with three significant digits, ``6.93`` or ``0.119``; at least thousandths."""
    if value is None:
        return "–"
    size = abs(value)
    decimals = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
    written = f"{value:.{decimals}f}"
    return written.removeprefix("-") if float(written) == 0 else written


def rate(value: float | None, low: float | None, high: float | None) -> str:
    """Return ``6.93 (6.81 to 7.05)``; without the brackets where there is no interval."""
    if value is None or low is None or high is None:
        return significant(value)
    return f"{significant(value)} ({significant(low)} to {significant(high)})"


def deciding_rate(judgement: Judgement) -> str:
    """Return the rate of the channel that decided, with its interval."""
    return rate(judgement.rate_mb_per_iteration, judgement.ci_low, judgement.ci_high)


def rss_rate(judgement: Judgement) -> str:
    """Return the rate of RSS with its interval."""
    return rate(judgement.rss_rate_mb_per_iteration, judgement.rss_ci_low, judgement.rss_ci_high)


def heap_rate(judgement: Judgement) -> str:
    """Return the rate of the live heap with its interval, or why there is none."""
    if judgement.heap_rate_mb_per_iteration is None and judgement.heap_off:
        return f"off ({judgement.heap_off})"
    return rate(judgement.heap_rate_mb_per_iteration, judgement.heap_ci_low, judgement.heap_ci_high)


def sentence(name: str, judgement: Judgement) -> str:
    """Return the judgement of the series called ``name`` as one sentence."""
    if judgement.verdict == "unavailable":
        return f"{name} did not run: {judgement.sentence.removeprefix('unavailable: ')}."
    if judgement.verdict == "crashed":
        return f"{name} broke off: {judgement.sentence}."
    words = f"{name} {_MEANINGS[judgement.verdict]}"
    if judgement.rate_mb_per_iteration is None or judgement.ci_low is None:
        return f"{words}."
    channel = CHANNELS.get(judgement.rate_channel or "", "memory")
    low, high = significant(judgement.ci_low), significant(judgement.ci_high)
    amount = significant(judgement.rate_mb_per_iteration)
    verb = "grows by" if judgement.verdict in {"leak", "slow-growth"} else "changes by"
    return f"{words}: {channel} {verb} {amount} MB per iteration (95 % interval {low} to {high})."


def headline(experiments: Sequence[ExperimentContent]) -> str:
    """Return one sentence for the whole run: what leaks, what is open, what broke off."""
    found = [
        (content.experiment.name, each.name, each.judgement.verdict)
        for content in experiments
        for each in content.series
    ]
    if not found:
        return "Nothing has been measured yet."
    groups = (
        ("leaks", {"leak"}),
        ("grows slowly", {"slow-growth"}),
        ("broke off", {"crashed"}),
        ("is not settled", {"inconclusive"}),
        ("did not run", {"unavailable"}),
        ("does not leak", {"flat", "plateau", "bounded"}),
    )
    said: list[str] = []
    for words, verdicts in groups:
        names = [f"{experiment} {name}" for experiment, name, verdict in found if verdict in verdicts]
        if names:
            said.append(f"{len(names)} of {len(found)} {words}: {', '.join(names)}")
    return "; ".join(said) + "."

"""How numbers read in a table: two decimals as in the original study, a dash for what is not known. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.analysis.judging.judged import AgainstBaseline
from orchestrator.notebook.marks import mark_of
from orchestrator.report.summaries import LeakRate, ModelSummary, SeriesSummary

UNKNOWN = "–"
AT_ONCE = "–¹"
"""No speed, because all text came at once; the footnote below the table explains it."""
NOT_APPLICABLE = "N/A"

_LOPSIDED = 0.1
"""By which share of its half-width the middle of an interval may lie beside the value."""

Numbers = SeriesSummary | ModelSummary
Cell = Callable[[Any], str]
"""From the summary of a series, or of a model, to the text of a cell."""


def number(value: float | None, decimals: int = 2) -> str:
    """Return ``1356.05``; a dash for None. Never ``-0.00``."""
    if value is None:
        return UNKNOWN
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def amount(name: str) -> Cell:
    """Return the cell that shows the number ``name`` of a summary."""
    return lambda numbers: number(getattr(numbers, name))


def speed(numbers: Numbers) -> str:
    """Return characters per second, or the mark of text that came all at once."""
    value = numbers.avg_speed_chars_per_s
    return AT_ONCE if value is None and numbers.text_at_once else number(value)


def with_interval(value: float, low: float | None, high: float | None, decimals: int = 2) -> str:
    """Return ``6.93 ± 0.12``: a value and half the width of its interval, or ``6.93`` where that has an end missing.

    An interval that is not about the value is written with its ends, ``1.81 (0.21 to 6.63)``: half its width would
    speak of values that it excludes.
    """
    if low is None or high is None:
        return number(value, decimals)
    half = (high - low) / 2
    if abs((high + low) / 2 - value) > max(_LOPSIDED * half, 10.0**-decimals):
        return f"{number(value, decimals)} ({number(low, decimals)} to {number(high, decimals)})"
    return f"{number(value, decimals)} ± {number(half, decimals)}"


def rate_with_interval(rate: LeakRate | None) -> str:
    """Return the slope with its 95 % interval, in MB per iteration."""
    if rate is None or rate.rate_mb_per_iteration is None:
        return UNKNOWN
    return with_interval(rate.rate_mb_per_iteration, rate.ci_low, rate.ci_high)


def net_change(summary: ModelSummary) -> str:
    """Return what a model leaves behind per iteration: of the live heap where that was read, else of RSS."""
    found = summary.net_change.get("live") or summary.net_change.get("rss")
    if not found:
        return UNKNOWN
    mean = found.per_iteration
    return with_interval(mean.rate, mean.low, mean.high, 4)


def leak_rate(summary: SeriesSummary) -> str:
    """Return the leak rate at the method's own boundary."""
    return rate_with_interval(summary.leak_rate)


def verdict_words(verdict: str) -> str:
    """Return a verdict as people read it: what it says of a leak first, its kind after it, ``no leak (plateau)``."""
    return mark_of(verdict).word


def counted_verdicts(verdicts: str) -> str:
    """Return verdicts of several runs, ``flat 4, leak 1``, as people read them: ``no leak (flat) 4, leak 1``."""
    parts = (part.partition(" ") for part in verdicts.split(", "))
    return ", ".join(f"{verdict_words(word)}{space}{count}" for word, space, count in parts)


def verdict(summary: SeriesSummary) -> str:
    """Return the judgement, ``leak`` or ``no leak (plateau)``; a dash where nothing was judged."""
    return verdict_words(summary.judgement.verdict) if summary.judgement else UNKNOWN


def beyond_baseline(summary: SeriesSummary) -> str:
    """Return the growth of the leak series beyond that of fresh processes, with its interval; a dash without them."""
    held = _against(summary)
    found = (held.channels.get("rss_anon") or held.channels.get("rss")) if held else None
    if found is None or found.beyond_mb_per_iteration is None:
        return UNKNOWN
    return with_interval(found.beyond_mb_per_iteration, found.beyond_ci_low, found.beyond_ci_high)


def above_fresh(summary: SeriesSummary) -> str:
    """Return by how many MB the last reading stands above a fresh process; a dash without one."""
    held = _against(summary)
    return number(held.level.above_mb if held and held.level else None)


def _against(summary: SeriesSummary) -> AgainstBaseline | None:
    return summary.judgement.against_baseline if summary.judgement else None


def iterations(summary: SeriesSummary) -> str:
    """Return how many iterations were run; a dash where none was."""
    return str(summary.iterations) if summary.iterations else UNKNOWN


def outcome(summary: SeriesSummary) -> str:
    """Return ``completed``, ``crashed (29/100)``, ``unavailable``, ``not possible``; ``not run`` without numbers."""
    word, done = summary.outcome, summary.iterations
    if summary.not_possible:
        return "not possible"
    if word is None:
        return "not run"
    return f"{word} ({done}/{summary.iterations_planned})" if word != "completed" and done else word

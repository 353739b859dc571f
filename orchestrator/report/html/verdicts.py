"""Cells and headlines about judgements, the same on the page and in the Markdown summary. Pure.

A judgement is worded in :mod:`orchestrator.report.judged_words`.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judged import AgainstBaseline, CountJudgement
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.notebook.rates import rate
from orchestrator.report.cells import verdict_words
from orchestrator.report.html.content import ExperimentContent, SeriesContent
from orchestrator.report.judged_words import leaking_counts, worth_telling


def rss_rate(judgement: Judgement) -> str:
    """Return the rate of RSS with its interval."""
    return rate(judgement.rss_rate_mb_per_iteration, judgement.rss_ci_low, judgement.rss_ci_high)


def heap_rate(judgement: Judgement) -> str:
    """Return the rate of the live heap with its interval, or why there is none."""
    if judgement.heap_rate_mb_per_iteration is None and judgement.heap_off:
        return f"off ({judgement.heap_off})"
    return rate(judgement.heap_rate_mb_per_iteration, judgement.heap_ci_low, judgement.heap_ci_high)


def beyond_rate(held: AgainstBaseline | None, channel: str) -> str:
    """Return the growth of a channel beyond that of fresh processes, with its interval; a dash without one."""
    found = held.channels.get(channel) if held else None
    if found is None:
        return "–"
    return rate(found.beyond_mb_per_iteration, found.beyond_ci_low, found.beyond_ci_high)


def above_fresh(held: AgainstBaseline | None) -> str:
    """Return ``185 (184 to 186)``: MB above a fresh process at the end; a dash where that is not known."""
    level = held.level if held else None
    return "–" if level is None else rate(level.above_mb, level.ci_low, level.ci_high)


def count(found: CountJudgement | None) -> str:
    """Return ``12 → 61 (leak)``; the word only where it is worth one."""
    if found is None:
        return "–"
    return f"{found.first} → {found.last}" + (
        f" ({verdict_words(found.verdict)})" if worth_telling(found) else ""
    )


_MOST_NAMES = 6
"""Of one experiment in one line of the headline."""
_GROUPS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Leak", frozenset({"leak"})),
    ("Slow growth", frozenset({"slow-growth"})),
    ("Broke off", frozenset({"crashed"})),
    ("Not settled", frozenset({"inconclusive"})),
    ("Did not run", frozenset({"unavailable"})),
    ("No leak", CLEAN),
)


def headlines(experiments: Sequence[ExperimentContent]) -> list[str]:
    """Return the whole run in a few lines: what leaks, what broke off, what is open, what does not leak.

    A method whose descriptors or threads leak is under these: it is neither open nor without a leak.
    """
    every = [(content.experiment.name, series) for content in experiments for series in content.series]
    if not every:
        return ["Nothing has been measured yet."]
    lines = [
        _headline(words, [each for each in every if _belongs(each[1].judgement, verdicts)], len(every))
        for words, verdicts in _GROUPS
    ]
    for counted in ("descriptors", "threads"):
        found = [each for each in every if counted in leaking_counts(each[1].judgement)]
        lines.append(_headline(f"{counted.capitalize()} leak", found, len(every)))
    return [line for line in lines if line]


def _belongs(judged: Judgement, verdicts: frozenset[str]) -> bool:
    return judged.verdict in verdicts and ("leak" in verdicts or not leaking_counts(judged))


def _headline(words: str, found: Sequence[tuple[str, SeriesContent]], total: int) -> str:
    """Return how many there are, and which by experiment; empty where there are none."""
    names: dict[str, list[str]] = {}
    for experiment, series in found:
        names.setdefault(experiment, []).append(series.name)
    where = "; ".join(f"{experiment}: {_listed(each)}" for experiment, each in names.items())
    return f"{words}: {len(found)} of {total} ({where})" if found else ""


def _listed(names: Sequence[str]) -> str:
    """Return the names, of many the first: the table below has them all."""
    left = len(names) - _MOST_NAMES
    return ", ".join(names) if left < 2 else f"{', '.join(names[:_MOST_NAMES])} and {left} more"

"""The figures of one run that a comparison looks at: rates of growth, and means of what each iteration has. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.analysis.judging.judged import CountJudgement
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.experiments.results.results_file import Results
from orchestrator.report.summaries import SeriesSummary

Pick = Callable[[Mapping[str, Any]], float | None]


def _load(entry: Mapping[str, Any]) -> float | None:
    """Return the seconds of loading in one iteration, all its steps together; of a warm worker those of its fork."""
    times = [
        step["load_s"] + ((step.get("spawn_s") or 0.0) if step.get("start") == "warm" else 0.0)
        for step in entry["steps"]
        if step.get("load_s") is not None
    ]
    return sum(times) if times else None


def _cell(name: str) -> Pick:
    def pick(entry: Mapping[str, Any]) -> float | None:
        return entry.get(name)

    return pick


class Metric(NamedTuple):
    """A number that each iteration has: its name, unit, where it is, whether more is better, and what counts."""

    word: str
    unit: str
    pick: Pick
    more_is_better: bool = False
    smallest: float | None = None
    """The smallest difference that counts; None: a share of the first side's number."""


PER_ITERATION: tuple[Metric, ...] = (
    Metric("ttft", "ms", _cell("ttft_ms")),
    Metric("speed", "chars/s", _cell("speed_chars_per_s"), more_is_better=True),
    Metric("wer", "%", _cell("wer_percent"), smallest=0.1),
    Metric("cer", "%", _cell("cer_percent"), smallest=0.1),
    Metric("load", "s", _load),
)
SMALLEST_SHARE = 0.03
"""Times and speeds that differ by less than this share are the same for practice, however well they are known."""

SMALLEST_GROWTH = 0.02
"""Growth, MB or counts per iteration: as fine as the live heap is judged."""

RATES: Mapping[str, Callable[[Judgement], tuple[float | None, float | None, float | None]]] = {
    "rss growth": lambda judged: (judged.rss_ci_low, judged.rss_rate_mb_per_iteration, judged.rss_ci_high),
    "heap growth": lambda judged: (
        judged.heap_ci_low,
        judged.heap_rate_mb_per_iteration,
        judged.heap_ci_high,
    ),
}
"""(low, rate, high) of a channel, by the metric's name."""


COUNTED = ("descriptors", "threads")
"""Counts, compared by their growth where it is not nothing on both sides."""


def rate_of(summary: SeriesSummary, metric: str) -> tuple[float | None, float | None, float | None]:
    """Return (low, rate, high): of the leak series for ``growth``, else of the channel as it was judged."""
    if metric == "growth":
        rate = summary.leak_rate
        return (rate.ci_low, rate.rate_mb_per_iteration, rate.ci_high) if rate else (None, None, None)
    judged = summary.judgement
    if judged is None:
        return None, None, None
    if metric in COUNTED:
        counted = _counted(summary, metric)
        return (
            (counted.ci_low, counted.rate_per_iteration, counted.ci_high) if counted else (None, None, None)
        )
    return RATES[metric](judged)


def _counted(summary: SeriesSummary, name: str) -> CountJudgement | None:
    judged = summary.judgement
    return {"descriptors": judged.descriptors, "threads": judged.threads}[name] if judged else None


def counts_grow(summary: SeriesSummary, counted: str) -> bool:
    """Whether a count is not the same at the end as at the beginning."""
    found = _counted(summary, counted)
    return found is not None and found.first != found.last


def mean_of(entries: Sequence[Mapping[str, Any]], pick: Pick) -> float | None:
    """Return the mean over the iterations that have the number, without the tenth at either end; None where none has.

    Single iterations that waited for something else are no property of the code, and they vary most of all.
    """
    values = [value for entry in entries if (value := pick(entry)) is not None]
    if not values:
        return None
    cut = len(values) // 10
    middle = sorted(values)[cut : len(values) - cut]
    return sum(middle) / len(middle)


def entries_of(results: Results, key: str) -> list[Mapping[str, Any]]:
    """Return the iterations of the series ``key``: a method, or ``method@variant``."""
    method, _, variant = key.partition("@")
    return [
        entry
        for entry in results.iterations
        if entry["method"] == method and (entry.get("variant") or "") == variant
    ]

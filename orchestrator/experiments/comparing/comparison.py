"""Is it worse than before? The numbers of two runs, method by method, each difference with an interval. Pure.

Growth is compared by its rates and their intervals, what is measured once an iteration by its means (Welch).
A difference counts only when its interval excludes zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Literal

import msgspec

from orchestrator.analysis.judging.difference import Difference, mean_difference, rate_difference
from orchestrator.analysis.judging.judged import CountJudgement
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.errors import ResultsError
from orchestrator.experiments.comparing.comparability import comparability
from orchestrator.experiments.results.results_file import Results
from orchestrator.report.summaries import SeriesSummary

Change = Literal["worse", "better", "same", "unknown"]
"""``same``: no difference is shown. ``unknown``: one side has no number, or no interval can be given."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One number of one method in both runs; ``difference`` is the second less the first, ends are 95 %."""

    experiment: str
    series: str
    metric: str
    unit: str
    first: float | None
    second: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    change: Change = "unknown"


class Comparison(msgspec.Struct, frozen=True):
    """Two runs held against each other; ``verdicts`` are (experiment, series, first, second)."""

    rows: list[Compared]
    verdicts: list[tuple[str, str, str, str]]
    warnings: list[str]


class IncomparableError(ResultsError):
    """Two runs measure different things; ``refusals`` says in which ways."""

    def __init__(self, refusals: Sequence[str]) -> None:
        self.refusals = tuple(refusals)
        reasons = "".join(f"\n  {each}" for each in self.refusals)
        super().__init__(f"these runs cannot be compared:{reasons}")


Pick = Callable[[Mapping[str, Any]], float | None]


def _load(entry: Mapping[str, Any]) -> float | None:
    """Return the seconds of loading in one iteration, all its steps together."""
    times = [step["load_s"] for step in entry["steps"] if step.get("load_s") is not None]
    return sum(times) if times else None


_PER_ITERATION: tuple[tuple[str, str, Pick, bool], ...] = (
    ("ttft", "ms", lambda entry: entry.get("ttft_ms"), False),
    ("speed", "chars/s", lambda entry: entry.get("speed_chars_per_s"), True),
    ("wer", "%", lambda entry: entry.get("wer_percent"), False),
    ("cer", "%", lambda entry: entry.get("cer_percent"), False),
    ("load", "s", _load, False),
)
"""Metric, unit, where it is, and whether more is better."""


def compare_runs(first: Mapping[str, Results], second: Mapping[str, Results]) -> Comparison:
    """Compare every method of every experiment that both runs have.

    Raises:
        IncomparableError: They share no experiment, or one that they share used other models or tasks.
    """
    shared = [name for name in first if name in second]
    if not shared:
        names = ", ".join(first) or "none", ", ".join(second) or "none"
        raise IncomparableError(
            [f"no experiment in common: {names[0]} in the first, {names[1]} in the second"]
        )
    checks = {name: comparability(first[name], second[name]) for name in shared}
    if refusals := [f"{name}: {why}" for name, check in checks.items() for why in check.refusals]:
        raise IncomparableError(refusals)
    left_out = [
        f"{name}: only in the {which}, not compared"
        for which, own, other in (("first", first, second), ("second", second, first))
        for name in own
        if name not in other
    ]
    told = dict.fromkeys(f"{name}: {warning}" for name, check in checks.items() for warning in check.warnings)
    pairs = [(name, key) for name in shared for key in first[name].summary if key in second[name].summary]
    return Comparison(
        rows=[row for name, key in pairs for row in _rows(name, key, first[name], second[name])],
        verdicts=[
            (name, key, _verdict(first[name], key), _verdict(second[name], key)) for name, key in pairs
        ],
        warnings=[*left_out, *told],
    )


def _rows(name: str, key: str, first: Results, second: Results) -> list[Compared]:
    growth = [_growth(name, key, metric, first, second) for metric in ("growth", *_RATES)]
    growth += [
        _growth(name, key, counted, first, second, unit="per iteration")
        for counted in _COUNTED
        if any(_counts_grow(results.summary[key], counted) for results in (first, second))
    ]
    both = _entries(first, key), _entries(second, key)
    means = [_mean(name, key, each, *both) for each in _PER_ITERATION]
    return [row for row in (*growth, *means) if row.first is not None or row.second is not None]


_RATES: Mapping[str, Callable[[Judgement], tuple[float | None, float | None, float | None]]] = {
    "rss growth": lambda judged: (judged.rss_ci_low, judged.rss_rate_mb_per_iteration, judged.rss_ci_high),
    "heap growth": lambda judged: (
        judged.heap_ci_low,
        judged.heap_rate_mb_per_iteration,
        judged.heap_ci_high,
    ),
}
"""(low, rate, high) of a channel, by the metric's name."""


_COUNTED = ("descriptors", "threads")
"""Counts, compared by their growth where it is not nothing on both sides."""


def _growth(
    name: str, key: str, metric: str, first: Results, second: Results, *, unit: str = "MB/iteration"
) -> Compared:
    rates = [_rate(results.summary[key], metric) for results in (first, second)]
    row = Compared(
        experiment=name, series=key, metric=metric, unit=unit, first=rates[0][1], second=rates[1][1]
    )
    a, b = rates
    if a[1] is None or b[1] is None:
        return row
    known = all(end is not None for end in (*a, *b))
    difference = rate_difference(a, b) if known else Difference(b[1] - a[1], float("-inf"), float("inf"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return _with(row, difference, more_is_better=False)


def _rate(summary: SeriesSummary, metric: str) -> tuple[float | None, float | None, float | None]:
    """Return (low, rate, high): of the leak series for ``growth``, else of the channel as it was judged."""
    if metric == "growth":
        rate = summary.leak_rate
        return (rate.ci_low, rate.rate_mb_per_iteration, rate.ci_high) if rate else (None, None, None)
    judged = summary.judgement
    if judged is None:
        return None, None, None
    if metric in _COUNTED:
        counted = _counted(summary, metric)
        return (
            (counted.ci_low, counted.rate_per_iteration, counted.ci_high) if counted else (None, None, None)
        )
    return _RATES[metric](judged)


def _counted(summary: SeriesSummary, name: str) -> CountJudgement | None:
    judged = summary.judgement
    return {"descriptors": judged.descriptors, "threads": judged.threads}[name] if judged else None


def _counts_grow(summary: SeriesSummary, counted: str) -> bool:
    found = _counted(summary, counted)
    return found is not None and found.first != found.last


def _mean(
    name: str,
    key: str,
    metric: tuple[str, str, Pick, bool],
    first: Sequence[Mapping[str, Any]],
    second: Sequence[Mapping[str, Any]],
) -> Compared:
    word, unit, pick, more_is_better = metric
    a, b = ([value for entry in entries if (value := pick(entry)) is not None] for entries in (first, second))
    row = Compared(
        experiment=name,
        series=key,
        metric=word,
        unit=unit,
        first=sum(a) / len(a) if a else None,
        second=sum(b) / len(b) if b else None,
    )
    return _with(row, mean_difference(a, b), more_is_better=more_is_better) if a and b else row


def _with(row: Compared, difference: Difference, *, more_is_better: bool) -> Compared:
    change: Change = "same"
    if not isfinite(difference.low) or not isfinite(difference.high):
        change = "unknown"
    elif difference.resolved:
        change = "better" if (difference.value > 0) == more_is_better else "worse"
    return msgspec.structs.replace(
        row,
        difference=difference.value,
        low=difference.low if isfinite(difference.low) else None,
        high=difference.high if isfinite(difference.high) else None,
        change=change,
    )


def _entries(results: Results, key: str) -> list[Mapping[str, Any]]:
    method, _, variant = key.partition("@")
    return [
        entry
        for entry in results.iterations
        if entry["method"] == method and (entry.get("variant") or "") == variant
    ]


def _verdict(results: Results, key: str) -> str:
    judged = results.summary[key].judgement
    return judged.verdict if judged else "not judged"

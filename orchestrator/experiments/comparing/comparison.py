"""Is it worse than before? The numbers of two sides, method by method, each difference with an interval. Pure.

With several runs a side a run is one observation, and all numbers are decided together (:mod:`.deciding`). With one
run a side it is not known how much a number varies from run to run. Growth is judged then by the intervals of its
rates, which come from within the run; times are shown, and nothing is claimed of them. With one run against several
nothing is claimed of any number: the one side does not tell how it varies, and no single run of the other stands for
its mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from orchestrator.analysis.judging.difference import Difference, rate_difference
from orchestrator.errors import ResultsError
from orchestrator.experiments.comparing.comparability import CALLED, Called, comparability, same_unloading
from orchestrator.experiments.comparing.deciding import Change, Sides, change_of, decide_together
from orchestrator.experiments.comparing.design import design_notes
from orchestrator.experiments.comparing.figures import (
    COUNTED,
    PER_ITERATION,
    RATES,
    SMALLEST_GROWTH,
    SMALLEST_SHARE,
    Metric,
    counts_grow,
    entries_of,
    mean_of,
    rate_of,
)
from orchestrator.experiments.results.results_file import Results
from orchestrator.report.summaries import SeriesSummary


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One number of one method on both sides; ``difference`` is the second less the first.

    ``first`` and ``second`` are means over the runs of a side, ``first_runs`` and ``second_runs`` the numbers of each.
    The intervals of all rows hold together with 95 % probability; with one run a side there is one for rates only, with
    one against several there is none.
    ``smallest`` is the smallest difference that counts.
    """

    experiment: str
    series: str
    metric: str
    unit: str
    first: float | None
    second: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    smallest: float | None = None
    change: Change = "unknown"
    first_runs: list[float | None] = []
    second_runs: list[float | None] = []


class Comparison(msgspec.Struct, frozen=True):
    """Two sides held against each other; ``verdicts`` are (experiment, series, first, second).

    ``runs`` are how many runs each side has; ``notes`` say what their number and order do not let us know.
    """

    rows: list[Compared]
    verdicts: list[tuple[str, str, str, str]]
    warnings: list[str]
    runs: tuple[int, int] = (1, 1)
    notes: list[str] = []


class IncomparableError(ResultsError):
    """Two runs measure different things; ``refusals`` says in which ways."""

    def __init__(self, refusals: Sequence[str]) -> None:
        self.refusals = tuple(refusals)
        reasons = "".join(f"\n  {each}" for each in self.refusals)
        super().__init__(f"these runs cannot be compared:{reasons}")


_FEWEST_ALIKE = 3
"""So many iterations must have the same number before it counts as one that does not vary."""

Run = Mapping[str, Results]
"""The results of one run, by experiment."""


def compare_runs(
    first: Run | Sequence[Run], second: Run | Sequence[Run], *, smallest_share: float = SMALLEST_SHARE
) -> Comparison:
    """Compare every method of every experiment that all runs have.

    Args:
        first: The run, or the runs, to compare with.
        second: The run, or the runs, that are compared.
        smallest_share: The smallest difference of times and speeds that counts, as a share of the first side's number.

    Raises:
        IncomparableError: They share no experiment, or one that they share used other models or tasks.
        ValueError: A side has no run.
    """
    sides = _runs(first), _runs(second)
    one, other = sides[0][0], sides[1][0]
    shared = _shared(sides)
    if not shared:
        names = ", ".join(one) or "none", ", ".join(other) or "none"
        raise IncomparableError(
            [f"no experiment in common: {names[0]} in the first, {names[1]} in the second"]
        )
    warnings = warnings_of(*sides)
    pairs = [
        (name, key)
        for name in shared
        for key in one[name].summary
        if all(
            key in run[name].summary and same_unloading(one[name], run[name], key)
            for side in sides
            for run in side
        )
    ]
    rows = [row for name, key in pairs for row in _rows(name, key, sides, smallest_share)]
    return Comparison(
        rows=_decided(rows),
        verdicts=[
            (name, key, _verdicts(sides[0], name, key), _verdicts(sides[1], name, key)) for name, key in pairs
        ],
        warnings=warnings,
        runs=(len(sides[0]), len(sides[1])),
        notes=design_notes(sides[0], sides[1]),
    )


def _runs(side: Run | Sequence[Run]) -> list[Run]:
    runs: list[Run] = [side] if isinstance(side, Mapping) else list(side)
    if not runs:
        raise ValueError("a side needs a run")
    return runs


_Sides = tuple[Sequence[Run], Sequence[Run]]


def _shared(sides: _Sides) -> list[str]:
    return [name for name in sides[0][0] if all(name in run for side in sides for run in side)]


def warnings_of(first: Sequence[Run], second: Sequence[Run], called: Called = CALLED) -> list[str]:
    """Return what a reader must know of the runs, in sentences with the names of the sides that the reader knows.

    Raises:
        IncomparableError: Two of them measure different things.
    """
    sides = first, second
    one, other = first[0], second[0]
    shared = _shared(sides)
    checks = {name: comparability(one[name], other[name], called) for name in shared}
    refusals = [f"{name}: {why}" for name, check in checks.items() for why in check.refusals]
    told = [f"{name}: {warning}" for name, check in checks.items() for warning in check.warnings]
    for which, side in zip(called[:2], sides, strict=True):
        for number, run in enumerate(side[1:], 2):
            for name in shared:
                within = comparability(side[0][name], run[name], Called("run 1", f"run {number}"))
                place = f"{name}: run {number} of {which}{called.side}"
                refusals += [f"{place}: {why}" for why in within.refusals]
                told += [f"{place} is not like run 1: {warning}" for warning in within.warnings]
    if refusals:
        raise IncomparableError(refusals)
    left_out = [
        f"{name}: only in {which}, not compared"
        for which, own, another in ((called.first, one, other), (called.second, other, one))
        for name in own
        if name not in another
    ]
    return [*left_out, *dict.fromkeys(told)]


def _rows(name: str, key: str, sides: _Sides, smallest_share: float) -> list[_Row]:
    summaries = [[run[name].summary[key] for run in side] for side in sides]
    counted = [
        each for each in COUNTED if any(counts_grow(summary, each) for side in summaries for summary in side)
    ]
    metrics = [
        *(("MB/iteration", metric) for metric in ("growth", *RATES)),
        *(("per iteration", each) for each in counted),
    ]
    growth = [_growth(name, key, metric, unit, summaries) for unit, metric in metrics]
    entries = [[entries_of(run[name], key) for run in side] for side in sides]
    means = [_means(name, key, metric, entries, smallest_share) for metric in PER_ITERATION]
    return [row for row in (*growth, *means) if row.shown.first is not None or row.shown.second is not None]


class _Row(NamedTuple):
    """A row before it is decided: what it shows, its numbers, and the difference that one run a side tells.

    ``alone`` is None, too, where a side has several runs: what is shown is their mean, and none of them is it.
    """

    shown: Compared
    sides: Sides
    alone: Difference | None


def _decided(rows: Sequence[_Row]) -> list[Compared]:
    """Return the rows with their differences; those that have several runs a side are decided together."""
    together = decide_together([row.sides for row in rows])
    return [
        _with(row.shown, *found) if row.sides.told else _with_one_run(row)
        for row, found in zip(rows, together, strict=True)
    ]


def _with_one_run(row: _Row) -> Compared:
    shown = row.shown
    if shown.first is None or shown.second is None:
        return shown
    if row.alone is None:
        return msgspec.structs.replace(shown, difference=shown.second - shown.first)
    return _with(shown, row.alone, change_of(row.alone, row.sides))


def _growth(
    name: str, key: str, metric: str, unit: str, summaries: Sequence[Sequence[SeriesSummary]]
) -> _Row:
    rates = [[rate_of(summary, metric) for summary in side] for side in summaries]
    sides = [[rate[1] for rate in side] for side in rates]
    row, numbers = _row(name, key, metric, unit, sides, smallest=SMALLEST_GROWTH)
    a, b = rates[0][0], rates[1][0]
    known = _one_each(rates) and all(end is not None for end in (*a, *b))
    alone = rate_difference(a, b) if known else None  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return _Row(row, numbers, alone)


def _one_each(sides: Sequence[Sequence[object]]) -> bool:
    return all(len(side) == 1 for side in sides)


def _row(
    name: str,
    key: str,
    metric: str,
    unit: str,
    sides: Sequence[Sequence[float | None]],
    *,
    smallest: float | None = None,
    share: float = 0.0,
    more_is_better: bool = False,
) -> tuple[Compared, Sides]:
    """Return a row and its numbers; without ``smallest`` a ``share`` of the first side's number is what counts."""
    known = [[value for value in side if value is not None] for side in sides]
    means = [sum(side) / len(side) if side else None for side in known]
    counts = smallest if smallest is not None else share * abs(means[0] or 0.0)
    row = Compared(
        experiment=name,
        series=key,
        metric=metric,
        unit=unit,
        first=means[0],
        second=means[1],
        smallest=counts,
        first_runs=list(sides[0]),
        second_runs=list(sides[1]),
    )
    return row, Sides(known[0], known[1], more_is_better, counts)


def _means(
    name: str,
    key: str,
    metric: Metric,
    entries: Sequence[Sequence[Sequence[Mapping[str, Any]]]],
    share: float,
) -> _Row:
    sides = [[mean_of(run, metric.pick) for run in side] for side in entries]
    row, numbers = _row(
        name,
        key,
        metric.word,
        metric.unit,
        sides,
        smallest=metric.smallest,
        share=share,
        more_is_better=metric.more_is_better,
    )
    return _Row(row, numbers, _unvaried(entries, metric))


def _unvaried(entries: Sequence[Sequence[Sequence[Mapping[str, Any]]]], metric: Metric) -> Difference | None:
    """Return the difference of a number that is the same in every iteration of a run, as error rates are; else None.

    That is what an engine without randomness does: another number is another output, and no chance. Of a number that
    varies, as times do, one run a side tells nothing.
    """
    if not _one_each(entries):
        return None
    found = [[value for entry in side[0] if (value := metric.pick(entry)) is not None] for side in entries]
    if any(len(values) < _FEWEST_ALIKE or len(set(values)) > 1 for values in found):
        return None
    value = found[1][0] - found[0][0]
    return Difference(value, value, value)


def _with(row: Compared, difference: Difference, change: Change) -> Compared:
    return msgspec.structs.replace(
        row,
        difference=difference.value,
        low=difference.low if isfinite(difference.low) else None,
        high=difference.high if isfinite(difference.high) else None,
        change=change,
    )


def _verdicts(side: Sequence[Run], name: str, key: str) -> str:
    """Return the verdict, or each with its count: ``flat``, or ``flat 4, leak 1``."""
    words = [_verdict(run[name], key) for run in side]
    counts = {word: words.count(word) for word in dict.fromkeys(words)}
    return words[0] if len(counts) == 1 else ", ".join(f"{word} {count}" for word, count in counts.items())


def _verdict(results: Results, key: str) -> str:
    judged = results.summary[key].judgement
    return judged.verdict if judged else "not judged"

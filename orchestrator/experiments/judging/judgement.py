"""Judge one series of records: the one place that result files, tables, reports, gates and plans ask.

Here: which readings a series is judged by, and what its end means for the verdict. How a series of numbers
is judged is :mod:`orchestrator.analysis`' business.

::

    records  --[method's own boundary]-->  rss, rss_anon, rss_shmem, swap, live, held  --judge-->  Judgement
                                           descriptors, threads  --judge_count----------------->
    baseline  --[the same boundary]----->  the same  --------------hold_against---------------->
    outcome  ----------------------------------------------------------------------------------->  crashed | unavailable
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from orchestrator.analysis import Verdict, judge
from orchestrator.analysis.judging.baseline import hold_against, level_above_fresh
from orchestrator.analysis.judging.judged import (
    AgainstBaseline,
    JudgedAs,
    LevelAboveFresh,
    count_judgement,
    rates_of,
)
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import Experiment, MethodName
from orchestrator.experiments.judging.leak_rate import (
    MB,
    boundary_readings,
    heap_off_reason,
    memory_series,
    read_boundary,
)
from orchestrator.experiments.judging.untried import what_would_settle
from orchestrator.experiments.storage.records import Boundary, IterationRecord, Reading, SeriesRecords
from orchestrator.report.shape import pairs_of

ENDS: dict[str, JudgedAs] = {
    "crashed": "crashed",
    "failed": "crashed",
    "timeout": "crashed",
    "unavailable": "unavailable",
}
"""Outcomes that are a verdict of their own, whatever the readings before them say."""

_METHODS: dict[str, MethodName] = {
    "recreate": "recreate",
    "restart": "restart",
    "reuse": "reuse",
    "recycle": "recycle",
}

_Pick = Callable[[Reading], int | None]


def judge_series(
    experiment: Experiment,
    records: SeriesRecords,
    boundary: Boundary | None = None,
    baseline: SeriesRecords | None = None,
) -> Judgement:
    """Return the judgement of one series.

    Pure. A series that crashed, failed or ran out of time is ``crashed``: its outcome's sentence is the first
    reason, its rates are those of the iterations before. One that was cut off is judged as far as it came.

    Args:
        experiment: What was run; tells the series' method.
        records: Everything known of the series.
        boundary: Where it is read; default the method's own. The baseline can be read ``after_infer`` too, to
            be held against a method that keeps its model.
        baseline: The fresh processes to hold it against, see :func:`baseline_of`; None leaves that out.
    """
    method = series_method(experiment, records.series)
    iterations = sorted(records.iterations, key=lambda record: record.iteration)
    where = boundary or read_boundary(method, iterations)
    outcome, sentence = _outcome(records, len(iterations))
    readings = boundary_readings(iterations, where)
    judged = _judge_readings(readings)
    end = ENDS.get(outcome)
    bare = Judgement(
        experiment=experiment.name,
        series=records.series,
        method=method,
        verdict=end or (judged.verdict if judged else "inconclusive"),
        outcome=outcome,
        sentence=sentence,
        boundary=where,
        iterations=len(readings),
        reasons=[] if outcome == "completed" else [sentence],
        heap_off=heap_off_reason(readings),
        descriptors=count_judgement(_counts(readings, lambda reading: reading.descriptors), "descriptors"),
        threads=count_judgement(_counts(readings, lambda reading: reading.threads), "threads"),
    )
    if judged is None:
        return bare if bare.reasons else msgspec.structs.replace(bare, reasons=[f"no reading {where}"])
    return msgspec.structs.replace(
        bare,
        **rates_of(judged),
        reasons=[*bare.reasons, *judged.reasons],
        settle=[] if end else what_would_settle(experiment, records, judged.settle),
        against_baseline=_against(experiment, judged, iterations, baseline, where) if baseline else None,
    )


def baseline_of(experiment: Experiment, key: str, records: Iterable[SeriesRecords]) -> SeriesRecords | None:
    """Return the records of the fresh processes that the series ``key`` is held against.

    That is the baseline of its own variant, else the plain one; None for a baseline, and where none has run.
    """
    pairs = {series.key: baseline for series, baseline in pairs_of(experiment)}
    baseline = pairs.get(key)
    return next((each for each in records if baseline and each.series == baseline.key), None)


def _against(
    experiment: Experiment,
    judged: Verdict,
    iterations: Sequence[IterationRecord],
    baseline: SeriesRecords,
    where: Boundary,
) -> AgainstBaseline | None:
    """Hold a judged series against the baseline, read where it is read; None where that has no reading."""
    readings = boundary_readings(sorted(baseline.iterations, key=lambda record: record.iteration), where)
    fresh = _judge_readings(readings)
    if fresh is None:
        return None
    return hold_against(
        judged,
        fresh,
        series=baseline.series,
        boundary=where,
        iterations=len(readings),
        level=_level(experiment, iterations, baseline, where),
    )


def _level(
    experiment: Experiment,
    iterations: Sequence[IterationRecord],
    baseline: SeriesRecords,
    where: Boundary,
) -> LevelAboveFresh | None:
    """Hold the last reading against fresh processes that had done as many iterations, or all of theirs."""
    by_life: dict[int, list[float]] = {}
    for record in baseline.iterations:
        by_life.setdefault(record.life, []).extend(
            reading.rss / MB for reading in boundary_readings([record], where)
        )
    read = [(record.life, reading) for record in iterations for reading in boundary_readings([record], where)]
    life, last = read[-1]
    return level_above_fresh(life, last.rss / MB, by_life, experiment.recycle_after)


def judge_all(experiment: Experiment, records: Iterable[SeriesRecords]) -> dict[str, Judgement]:
    """Return the judgements by series key, in the experiment's order, then any others."""
    every = list(records)
    by_key = {
        each.series: judge_series(experiment, each, baseline=baseline_of(experiment, each.series, every))
        for each in every
    }
    known = [series.key for series in experiment.series if series.key in by_key]
    return {key: by_key[key] for key in dict.fromkeys((*known, *by_key))}


def series_method(experiment: Experiment, key: str) -> MethodName:
    """Return the method of the series ``key``: the experiment's word, else what the key itself says.

    Raises:
        KeyError: The key names no method.
    """
    for series in experiment.series:
        if series.key == key:
            return series.method
    return _METHODS[key.partition("@")[0]]


def _outcome(records: SeriesRecords, count: int) -> tuple[str, str]:
    if records.end is None:
        return "interrupted", f"interrupted after {count} iterations"
    return records.end.outcome, records.end.sentence


def _judge_readings(readings: Sequence[Reading]) -> Verdict | None:
    series = memory_series(readings)
    return None if series is None else judge(series)


def _counts(readings: Sequence[Reading], pick: _Pick) -> list[int] | None:
    counts = [count for reading in readings if (count := pick(reading)) is not None]
    return counts if counts and len(counts) == len(readings) else None

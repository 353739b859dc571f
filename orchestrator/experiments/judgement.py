"""Judge one series of records: the one place that result files, tables, reports, gates and plans ask.

Here: which readings a series is judged by, and what its end means for the verdict. How a series of numbers
is judged is :mod:`orchestrator.analysis`' business.

::

    records  --[method's own boundary]-->  rss, rss_anon, swap, live, held  --judge-->  Judgement
    outcome  ------------------------------------------------------------------------>  crashed | unavailable
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite

import msgspec
import numpy as np
import numpy.typing as npt

from orchestrator.analysis import ChannelVerdict, Composition, MemorySeries, Verdict, judge
from orchestrator.analysis.judgement import ChannelJudgement, Growth, JudgedAs, Judgement
from orchestrator.config.types import Experiment, MethodName
from orchestrator.experiments.leak_rate import MB, boundary_readings, own_boundary
from orchestrator.experiments.records import Boundary, Reading, SeriesRecords

__all__ = [
    "ChannelJudgement",
    "Growth",
    "JudgedAs",
    "Judgement",
    "judge_all",
    "judge_series",
    "series_method",
]

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
    experiment: Experiment, records: SeriesRecords, boundary: Boundary | None = None
) -> Judgement:
    """Return the judgement of one series.

    Pure. A series that crashed, failed or ran out of time is ``crashed``: its outcome's sentence is the first
    reason, its rates are those of the iterations before. One that was cut off is judged as far as it came.

    Args:
        experiment: What was run; tells the series' method.
        records: Everything known of the series.
        boundary: Where it is read; default the method's own. The baseline can be read ``after_infer`` too, to
            be held against a method that keeps its model.
    """
    method = series_method(experiment, records.series)
    where = boundary or own_boundary(method)
    iterations = sorted(records.iterations, key=lambda record: record.iteration)
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
        heap_off=_heap_off(readings),
    )
    if judged is None:
        return bare if bare.reasons else msgspec.structs.replace(bare, reasons=[f"no reading {where}"])
    return msgspec.structs.replace(
        _with_rates(bare, judged),
        reasons=[*bare.reasons, *judged.reasons],
        settle=[] if end else list(judged.settle),
    )


def _with_rates(bare: Judgement, judged: Verdict) -> Judgement:
    return msgspec.structs.replace(
        bare,
        rate_mb_per_iteration=_finite(judged.rate_mb_per_iteration),
        ci_low=_finite(judged.ci_low),
        ci_high=_finite(judged.ci_high),
        rate_channel=judged.rate_channel,
        rss_rate_mb_per_iteration=_finite(judged.rss_rate_mb_per_iteration),
        rss_ci_low=_finite(judged.rss_ci_low),
        rss_ci_high=_finite(judged.rss_ci_high),
        heap_rate_mb_per_iteration=_finite(judged.heap_rate_mb_per_iteration),
        heap_ci_low=_finite(judged.heap_ci_low),
        heap_ci_high=_finite(judged.heap_ci_high),
        warm_up=judged.warm_up,
        tolerance=_finite(judged.tolerance),
        composition=_growth(judged.composition),
        channels={name: _channel_judgement(channel) for name, channel in judged.channels},
    )


def judge_all(experiment: Experiment, records: Iterable[SeriesRecords]) -> dict[str, Judgement]:
    """Return the judgements by series key, in the experiment's order, then any others."""
    by_key = {each.series: judge_series(experiment, each) for each in records}
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
    """Judge what every reading has; a channel that is missing from one of them counts as missing."""
    rss = _channel(readings, lambda reading: reading.rss)
    if rss is None:
        return None
    series = MemorySeries.of(
        rss,
        rss_anon_mb=_channel(readings, lambda reading: reading.rss_anon),
        swap_mb=_channel(readings, lambda reading: reading.swap),
        live_mb=_channel(readings, lambda reading: reading.heap_live),
        held_mb=_channel(readings, lambda reading: reading.heap_held),
        heap_off=_heap_off(readings),
    )
    return judge(series)


def _channel(readings: Sequence[Reading], pick: _Pick) -> npt.NDArray[np.float64] | None:
    sizes = [size for reading in readings if (size := pick(reading)) is not None]
    if not sizes or len(sizes) < len(readings):
        return None
    return np.asarray(sizes, dtype=np.float64) / MB


def _heap_off(readings: Sequence[Reading]) -> str | None:
    return next((reading.heap_off for reading in readings if reading.heap_off), None)


def _channel_judgement(channel: ChannelVerdict) -> ChannelJudgement:
    return ChannelJudgement(
        verdict=channel.verdict,
        rate_mb_per_iteration=_finite(channel.slope.rate),
        ci_low=_finite(channel.slope.low),
        ci_high=_finite(channel.slope.high),
        warm_up=channel.warm_up,
        tolerance=_finite(channel.tolerance),
        reasons=list(channel.reasons),
    )


def _growth(composition: Composition) -> Growth:
    return Growth(
        live_heap=_finite(composition.live_heap),
        held_free=_finite(composition.held_free),
        outside_malloc=_finite(composition.outside_malloc),
        file_pages=_finite(composition.file_pages),
        swap=_finite(composition.swap),
    )


def _finite(value: float | None) -> float | None:
    """Return a plain float, or None for what is not known, not a number or without bound."""
    return float(value) if value is not None and isfinite(value) else None

"""The leak rate of one series of records: which readings it is made of, and its slope with an interval.

How a slope is found is :mod:`orchestrator.analysis`' business. What is decided here is where a series is
read: ``recreate`` after unload, ``restart`` and ``reuse`` after infer (their model stays loaded), ``recycle``
at both, so that each in-process method can be held against the baseline at its own boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.analysis import MemorySeries, judge_channel
from orchestrator.analysis.fitting.slope import FEWEST_READINGS
from orchestrator.analysis.judging.tolerance import RSS_FLOOR_MB, tolerance_mb
from orchestrator.config.types import MethodName
from orchestrator.experiments.storage.records import Boundary, IterationRecord, Reading

MB = 1024.0**2

_Pick = Callable[[Reading], int | None]

_BOUNDARIES: dict[MethodName, tuple[Boundary, ...]] = {
    "recreate": ("after_unload",),
    "restart": ("after_infer",),
    "reuse": ("after_infer",),
    "recycle": ("after_unload", "after_infer"),
}


def own_boundary(method: MethodName) -> Boundary:
    """Return the boundary at which a method's memory and its leak series are read."""
    return _BOUNDARIES[method][0]


def boundaries(method: MethodName) -> tuple[Boundary, ...]:
    """Return the boundaries at which a method can be read, its own first."""
    return _BOUNDARIES[method]


def read_boundary(method: MethodName, iterations: Sequence[IterationRecord]) -> Boundary:
    """Return the boundary at which a series is read: the method's own, where it has any reading.

    A baseline whose library does not live through an unload has none after it, and is read after infer.
    """
    read: list[Boundary] = [where for where in _BOUNDARIES[method] if boundary_readings(iterations, where)]
    return read[0] if read else own_boundary(method)


def boundary_readings(iterations: Sequence[IterationRecord], boundary: Boundary) -> list[Reading]:
    """Return the last step's reading at ``boundary`` of every iteration that has one."""
    steps = [iteration.steps[-1] for iteration in iterations if iteration.steps]
    return [step.readings[boundary] for step in steps if boundary in step.readings]


def memory_series(readings: Sequence[Reading]) -> MemorySeries | None:
    """Return the channels that every reading has, in MB; None without a reading.

    A channel that is missing from one of them counts as missing: a run that an older version began does not have
    shared memory in its first readings, and would else seem to grow by it where it was resumed.
    """
    rss = _channel(readings, lambda reading: reading.rss)
    if rss is None:
        return None
    return MemorySeries.of(
        rss,
        rss_anon_mb=_channel(readings, lambda reading: reading.rss_anon),
        rss_shmem_mb=_channel(readings, lambda reading: reading.rss_shmem),
        swap_mb=_channel(readings, lambda reading: reading.swap),
        live_mb=_channel(readings, lambda reading: reading.heap_live),
        held_mb=_channel(readings, lambda reading: reading.heap_held),
        heap_off=heap_off_reason(readings),
    )


def _channel(readings: Sequence[Reading], pick: _Pick) -> npt.NDArray[np.float64] | None:
    sizes = [size for reading in readings if (size := pick(reading)) is not None]
    if not sizes or len(sizes) < len(readings):
        return None
    return np.asarray(sizes, dtype=np.float64) / MB


def heap_off_reason(readings: Sequence[Reading]) -> str | None:
    """Return why there is no heap channel; None when there is one or nothing is said."""
    return next((reading.heap_off for reading in readings if reading.heap_off), None)


def leak_rate(
    method: MethodName, iterations: Sequence[IterationRecord], boundary: Boundary | None = None
) -> dict[str, Any]:
    """Return the slope of the leak series at ``boundary`` (default: the method's own) in MB per iteration.

    Keys: ``rate_mb_per_iter``, ``low_mb_per_iter`` and ``high_mb_per_iter`` (95 %), ``boundary``,
    ``iterations`` (how many were used), ``warm_up_iterations`` (how many were cut away before them) and
    ``reason``, which says why the numbers are None.
    """
    where = boundary or read_boundary(method, iterations)
    if where not in _BOUNDARIES[method]:
        return _no_rate(where, 0, f"{method} is read {own_boundary(method).replace('_', ' ')}")
    readings = boundary_readings(iterations, where)
    if len(readings) < FEWEST_READINGS:
        return _no_rate(where, len(readings), f"needs {FEWEST_READINGS} iterations, has {len(readings)}")
    return {"boundary": where, **_slope(readings), "reason": None}


def _slope(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return the slope after the warm-up, found as the judgement of the same readings finds it."""
    series = memory_series(readings)
    assert series is not None, "callers have readings"
    judged = judge_channel(
        series.lead, tolerance_mb(series.rss), noise_floor=RSS_FLOOR_MB, name="leak series"
    )
    return {
        "rate_mb_per_iter": judged.slope.rate,
        "low_mb_per_iter": judged.slope.low,
        "high_mb_per_iter": judged.slope.high,
        "iterations": judged.slope.count,
        "warm_up_iterations": judged.warm_up,
    }


def _no_rate(boundary: Boundary, count: int, reason: str) -> dict[str, Any]:
    numbers = dict.fromkeys(("rate_mb_per_iter", "low_mb_per_iter", "high_mb_per_iter"))
    return {"boundary": boundary, **numbers, "iterations": count, "warm_up_iterations": 0, "reason": reason}

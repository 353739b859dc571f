"""Which readings a series of a run is judged by, and as what the analysis gets them.

``recreate`` is read after unload, ``restart`` and ``reuse`` after infer (their model stays loaded), ``recycle`` at
both, so that each in-process method can be compared with the baseline at its own boundary. ``warm`` is read after infer
too; of its workers the private pages count, because what they share with their template is there once for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from orchestrator.analysis import MemorySeries
from orchestrator.analysis.series import FloatArray
from orchestrator.config.types import MethodName
from orchestrator.experiments.storage.records import Boundary, IterationRecord, Reading, counted
from orchestrator.process.memory import Memory

MB = 1024.0**2

_BOUNDARIES: dict[MethodName, tuple[Boundary, ...]] = {
    "recreate": ("after_unload",),
    "restart": ("after_infer",),
    "reuse": ("after_infer",),
    "recycle": ("after_unload", "after_infer"),
    "warm": ("after_infer",),
}
FRESH_METHODS: frozenset[MethodName] = frozenset({"recycle", "warm"})
"""Methods with a fresh process for each job or few: what grows in one process has no time to."""


def own_boundary(method: MethodName) -> Boundary:
    """Return the boundary at which a method's memory and its leak series are read."""
    return _BOUNDARIES[method][0]


def boundaries(method: MethodName) -> tuple[Boundary, ...]:
    """Return the boundaries at which a method can be read, its own first."""
    return _BOUNDARIES[method]


def read_boundary(method: MethodName, iterations: Sequence[IterationRecord]) -> Boundary:
    """Return the boundary at which a series is read: the method's own if it has any reading.

    If a library crashes on unload, the baseline has no reading after it, and is read after infer.
    """
    read: list[Boundary] = [where for where in _BOUNDARIES[method] if boundary_readings(iterations, where)]
    return read[0] if read else own_boundary(method)


def boundary_readings(iterations: Sequence[IterationRecord], boundary: Boundary) -> list[Reading]:
    """Return the last step's reading at ``boundary``, as it counts, of every iteration that has one."""
    steps = [iteration.steps[-1] for iteration in iterations if iteration.steps]
    return [counted(step.readings, boundary, step.start) for step in steps if boundary in step.readings]


def leak_series_mb(method: MethodName, iterations: Sequence[IterationRecord]) -> list[float]:
    """Return the readings that a series is judged by, in MB and in the order of its iterations; empty without any."""
    in_order = sorted(iterations, key=lambda record: record.iteration)
    series = memory_series(boundary_readings(in_order, read_boundary(method, in_order)))
    return [] if series is None else series.leak_series.tolist()


def seconds_an_iteration(iterations: Sequence[IterationRecord]) -> float | None:
    """Return the median time from the start of one iteration to that of the next; None with fewer than two.

    The median, because a run that was resumed has a pause in it.
    """
    starts = [datetime.fromisoformat(iteration.started_at).timestamp() for iteration in iterations]
    return float(np.median(np.diff(starts))) if len(starts) > 1 else None


def memory_series(readings: Sequence[Memory], *, iteration_s: float | None = None) -> MemorySeries | None:
    """Return the channels that every reading has, in MB; None without a reading.

    A channel that is missing from one of them counts as missing: a run that an older version began does not have
    shared memory in its first readings, and would otherwise seem to grow by it from where it was resumed.
    """
    rss = channel(readings, "rss")
    if rss is None:
        return None
    sizes = {
        name: channel(readings, name) for name in ("rss_anon", "rss_shmem", "swap", "heap_live", "heap_held")
    }
    mb = {name: None if values is None else values / MB for name, values in sizes.items()}
    return MemorySeries.of(
        rss / MB,
        rss_anon_mb=mb["rss_anon"],
        rss_shmem_mb=mb["rss_shmem"],
        swap_mb=mb["swap"],
        live_mb=mb["heap_live"],
        held_mb=mb["heap_held"],
        heap_off=heap_off_reason(readings),
        iteration_s=iteration_s,
    )


def channel(readings: Sequence[Memory], name: str) -> FloatArray | None:
    """Return what all readings say in their field ``name``; None if one of them, or every one, lacks it."""
    values = [value for reading in readings if (value := getattr(reading, name, None)) is not None]
    return np.asarray(values, dtype=np.float64) if values and len(values) == len(readings) else None


def heap_off_reason(readings: Sequence[Memory]) -> str | None:
    """Return why there is no heap channel; None when there is one or nothing is said."""
    reasons = [getattr(reading, "heap_off", None) for reading in readings]
    return next((reason for reason in reasons if reason), None)

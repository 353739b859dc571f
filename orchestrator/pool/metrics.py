"""Counts of a pool's whole life: how jobs ended, and durations in fixed buckets."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque

import msgspec

LATENCIES_KEPT = 1024
"""Latest durations kept one by one, for percentiles."""
BOUNDS_S = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
)
"""Upper bounds: from a function's call to a long recording; what is longer has a bucket of its own."""


class HistogramStats(msgspec.Struct, frozen=True):
    """Durations so far. ``counts`` has one number per bound and one for what is above the last; not cumulative."""

    bounds_s: tuple[float, ...] = BOUNDS_S
    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


class Histogram:
    """The mutable side: one thread adds."""

    __slots__ = ("_counts", "_sum_s")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration; a bound belongs to the bucket below it."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    def stats(self) -> HistogramStats:
        """Return what was counted so far."""
        return HistogramStats(BOUNDS_S, tuple(self._counts), self._sum_s)


class Metrics:
    """Counts of the pool's life."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()  # (task, outcome)
        self.spawns = 0
        self.evictions = 0
        self.retries = 0
        self.overshoot_peak_bytes = 0
        self.waits_s: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.runs_s: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.wait_durations = Histogram()
        self.run_durations = Histogram()
        self.load_durations = Histogram()

    def count(self, task: str, outcome: str, waited_s: float, run_s: float | None) -> None:
        """Count a job that ended; ``run_s`` is None when it never began."""
        self.outcomes[task, outcome] += 1
        self.waits_s.append(waited_s)
        self.wait_durations.add(waited_s)
        if run_s is not None:
            self.runs_s.append(run_s)
            self.run_durations.add(run_s)

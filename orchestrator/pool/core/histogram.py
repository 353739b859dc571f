"""Durations counted into fixed buckets, over a pool's whole life. Who counts what is decided elsewhere."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

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

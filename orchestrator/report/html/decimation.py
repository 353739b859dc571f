"""Thin out a time series for a chart so that no peak is lost: lowest and highest reading per bucket. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BUCKETS = 900
"""About one bucket for a pixel of the chart."""
_MOST_CUTS = 4


class Bucket(NamedTuple):
    """Neighbouring readings of one phase of one process: from the first's time, lowest and highest RSS."""

    time_s: float
    low_mb: float
    high_mb: float
    phase: str
    generation: int
    iteration: int


def decimate(
    time_s: npt.NDArray[np.float64],
    rss_mb: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    phases: dict[int, str],
    buckets: int = BUCKETS,
) -> list[Bucket]:
    """Return the readings in at most ``buckets`` slices of time, cut further where the label changes.

    Where that makes more than ``_MOST_CUTS`` pieces a slice on average, as in a run of very many iterations, each slice
    has one piece a phase instead, from the phase's first reading there.

    Args:
        time_s: When each reading was taken, ascending.
        rss_mb: The readings.
        labels: One row a reading: phase code, generation, iteration.
        phases: Names of the phase codes.
        buckets: Slices of time; every reading falls into one bucket.
    """
    if time_s.size == 0:
        return []
    span = max(float(time_s[-1] - time_s[0]), 1e-9)
    slices = np.minimum(((time_s - time_s[0]) / span * buckets).astype(np.int64), buckets - 1)
    keys = np.column_stack((slices, labels[:, :2]))  # the iteration changes with the phase soon enough
    starts = _starts(keys)
    order = np.arange(time_s.size)
    if starts.size > buckets * _MOST_CUTS:
        order = np.lexsort(
            (labels[:, 0], slices)
        )  # stable: of a phase in a slice the first reading comes first
        starts = _starts(keys[order, :2])
    lowest = np.minimum.reduceat(rss_mb[order], starts)
    highest = np.maximum.reduceat(rss_mb[order], starts)
    firsts = order[starts]
    found = np.argsort(firsts)
    return [
        Bucket(
            float(time_s[start]),
            float(low),
            float(high),
            _phase(labels[start], phases),
            int(labels[start, 1]),
            int(labels[start, 2]),
        )
        for start, low, high in zip(firsts[found], lowest[found], highest[found], strict=True)
    ]


def _starts(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return where rows begin that differ from the one before."""
    return np.flatnonzero(np.r_[True, np.any(keys[1:] != keys[:-1], axis=1)])


def _phase(label: npt.NDArray[Any], phases: dict[int, str]) -> str:
    code = int(label[0])
    return phases.get(code, f"phase {code}")

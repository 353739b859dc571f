"""Thin out a time series for a chart so that no peak is lost: lowest and highest reading per bucket. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BUCKETS = 900
"""About one bucket for a pixel of the chart."""


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

    Args:
        time_s: When each reading was taken, ascending.
        rss_mb: The readings.
        labels: One row a reading: phase code, generation, iteration.
        phases: Names of the phase codes.
        buckets: Slices of time; the changes of phase come on top, and every reading falls into one bucket.
    """
    if time_s.size == 0:
        return []
    span = max(float(time_s[-1] - time_s[0]), 1e-9)
    slices = np.minimum(((time_s - time_s[0]) / span * buckets).astype(np.int64), buckets - 1)
    keys = np.column_stack((slices, labels[:, :2]))  # the iteration changes with the phase soon enough
    starts = np.flatnonzero(np.r_[True, np.any(keys[1:] != keys[:-1], axis=1)])
    lowest = np.minimum.reduceat(rss_mb, starts)
    highest = np.maximum.reduceat(rss_mb, starts)
    return [
        Bucket(
            float(time_s[start]),
            float(low),
            float(high),
            _phase(labels[start], phases),
            int(labels[start, 1]),
            int(labels[start, 2]),
        )
        for start, low, high in zip(starts, lowest, highest, strict=True)
    ]


def _phase(label: npt.NDArray[Any], phases: dict[int, str]) -> str:
    code = int(label[0])
    return phases.get(code, f"phase {code}")

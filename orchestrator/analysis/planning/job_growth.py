"""How much one job may add, and how far the growth of many may stray: for growth that varies from job to job. Pure.

A worker that is recycled above a limit passes its budget in the job that crosses the limit. Large jobs are more likely
to be that one than small ones: of a life whose jobs add ``X`` on average ``m``, the expected number that lead from
below ``limit`` to above ``limit + q`` is ``E[(X - q)+] / m`` (a renewal process meets a level inside a length-biased
step; D. R. Cox, Renewal Theory, 1962). So the room that is kept for one more job is the ``q`` at which that number is
a small share, not the mean, and not the largest of the few jobs that were measured either.

The tail beyond the measured jobs is a generalised Pareto distribution fitted by moments to what lies above the upper
quartile (J. R. M. Hosking and J. R. Wallis, 1987): its shape tells steps of one size from a tail that goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

Growths = Sequence[float] | NDArray[np.float64]

LIVES_THAT_PASS = 0.005
"""Share of the lives in which one job may add more than is kept for it."""
FEWEST_JOBS = 5
"""Jobs below which nothing is said of how their growth varies."""
HEAVIEST_TAIL = 0.4
"""Largest shape of the tail; from 0.5 on the fit by moments has no meaning."""
MOST_TIMES_SEEN = 3.0
"""No more is kept than so many times the largest growth that was measured: a few jobs tell little of a tail."""
SAME_STEP = 1e-3
"""Steps whose sizes vary by less than this share of their mean are of one size."""


def upper_job_growth(growths_mb: Growths, *, share: float = LIVES_THAT_PASS) -> float:
    """Return what to keep free for the growth of one job, MB; 0 where that cannot be known or nothing grows.

    Args:
        growths_mb: What each measured job added, MB, after the warm-up; negative where memory went back.
        share: Of the lives that may pass.
    """
    grown = np.asarray(growths_mb, dtype=np.float64)
    mean = float(grown.mean()) if grown.size else 0.0
    if grown.size < FEWEST_JOBS or mean <= 0:
        return 0.0
    threshold = max(float(np.quantile(grown, 0.75)), 0.0)
    above = grown[grown > threshold] - threshold
    if not above.size:  # all of one size: a quarter of them or more are the threshold itself
        return threshold
    largest = threshold + float(above.max())
    kept = threshold + _excess(above, wanted=share * mean * grown.size / above.size)
    return min(max(largest, kept), MOST_TIMES_SEEN * largest)


def _excess(above: NDArray[np.float64], wanted: float) -> float:
    """Return the excess ``z`` over the threshold with ``E[(Y - z)+] = wanted``, for the excesses ``above``."""
    mean = float(above.mean())
    if wanted >= mean:
        return 0.0
    spread = float(above.std(ddof=1)) if above.size > 1 else mean
    if spread <= SAME_STEP * mean:
        return mean
    ratio = (mean / spread) ** 2
    # By one standard error on the safe side: it is near one over the root of their number where the tail is long.
    shape = min((1 - ratio) / 2 + 1 / sqrt(above.size), HEAVIEST_TAIL)
    scale = mean * (1 - shape)
    if abs(shape) < 1e-6:
        return scale * log(mean / wanted)
    reached: float = (wanted / mean) ** (shape / (shape - 1)) - 1
    return scale / shape * reached


def growth_spread(growths_mb: Growths) -> float:
    """Return by how much the growth of ``n`` jobs strays, as a standard deviation, MB per square root of ``n``.

    From the sums of a quarter of the record, at each place: ups and downs that cancel each other count for little, and
    growth in phases for more than the single jobs would tell.
    """
    grown = np.asarray(growths_mb, dtype=np.float64)
    width = max(1, grown.size // 4)
    if grown.size < FEWEST_JOBS:
        return 0.0
    sums = np.convolve(grown - grown.mean(), np.ones(width), mode="valid")
    # Sums of a part of a record that sum to zero as a whole vary too little, by the part that they are of it.
    return float(np.sqrt(np.mean(sums**2) / (width * (1 - width / grown.size))))


def jobs_within_spread(rate_mb: float, spread_mb: float, room_mb: float, *, z: float) -> float:
    """Return the ``n`` at which ``rate n + z spread sqrt(n)`` is ``room_mb``; ``rate_mb`` above 0."""
    if room_mb <= 0:
        return 0.0
    root = (-z * spread_mb + sqrt((z * spread_mb) ** 2 + 4 * rate_mb * room_mb)) / (2 * rate_mb)
    return root * root

"""What each model of a process leaves behind: the mean of its net changes, by load and by job. Pure.

A net change is memory after unload less memory before load. Its mean over the iterations needs an interval that holds
when neighbours are related: a step may take back what the one before it left. So the variance is the long-run one
(Bartlett weights; W. K. Newey and K. D. West, 1987) and the critical value that of its own bandwidth, which for a
short record is well above 1.96 (N. M. Kiefer and T. J. Vogelsang, 2005). Means add up, so that the parts can be
checked against the whole.

Where the summed changes go up and down about a line, as those of a buffer of ever another size, all that the mean of
the changes uses is the first and the last of them. There it is the slope of that line instead
(:func:`orchestrator.analysis.fitting.slope.fgls_slope`), which is the same number known far better.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.fitting.slope import fgls_slope

FEWEST = 8
"""Iterations below which there is no interval."""
BANDWIDTH = 0.5
"""Share of the record over which neighbours may be related. Wide: the critical value makes up for it."""
DOUBT = 2.0
"""The interval about a line is so many times as wide: a short record cannot tell for certain that it is one."""
LEVEL_LIKE = 0.1
"""Autocorrelation about the line below which the summed changes are a line with noise, and no random walk."""
Numbers = Sequence[float] | NDArray[np.float64]


class Interval(msgspec.Struct, frozen=True):
    """A mean, or a growth rate per iteration, with its 95 % interval; MB."""

    low: float
    rate: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2


class LoadAndJob(msgspec.Struct, frozen=True):
    """Net change taken apart by the number of jobs that each load did, MB.

    ``per_load`` is the intercept, what a load and unload without any job would leave; ``per_job`` the slope.
    """

    per_load: Interval
    per_job: Interval


def mean_change(changes_mb: Numbers, *, floor_mb: float) -> Interval | None:
    """Return the mean of one change per iteration, in their order; None below :data:`FEWEST`.

    Args:
        changes_mb: MB, one per iteration.
        floor_mb: The smallest difference a reading shows: two readings at the ends of the record cannot tell a mean
            more exactly than that over the number of iterations.
    """
    changes = np.asarray(changes_mb, dtype=np.float64)
    if changes.size < FEWEST:
        return None
    level = fgls_slope(np.concatenate([[0.0], np.cumsum(changes)]), noise_floor=floor_mb)
    if np.ptp(changes) > floor_mb and level.autocorrelation < LEVEL_LIKE:
        half = max(DOUBT * (level.high - level.low) / 2, floor_mb / changes.size)
        return Interval(level.rate - half, level.rate, level.rate + half)
    ones = np.ones((changes.size, 1))
    (found,) = _regress(ones, changes, floor_mb)
    return found


def load_and_job(changes_mb: Numbers, jobs: Sequence[int], *, floor_mb: float) -> LoadAndJob | None:
    """Return what a load and what a job leave, from iterations with different numbers of jobs per load.

    None below :data:`FEWEST` iterations, or where all of them had as many jobs.
    """
    changes = np.asarray(changes_mb, dtype=np.float64)
    counts = np.asarray(jobs, dtype=np.float64)
    if changes.size < FEWEST or np.ptp(counts) == 0:
        return None
    load, job = _regress(np.column_stack([np.ones(changes.size), counts]), changes, floor_mb)
    return LoadAndJob(load, job)


def _regress(design: NDArray[np.float64], values: NDArray[np.float64], floor_mb: float) -> list[Interval]:
    """Return the coefficients of a linear regression with intervals that hold for related residuals."""
    count, terms = design.shape
    inverse = np.linalg.inv(design.T @ design)
    found = inverse @ design.T @ values
    scores = design * (values - design @ found)[:, None]
    bandwidth = ceil(BANDWIDTH * count)
    spread = scores.T @ scores
    for lag in range(1, bandwidth):
        weight = 1 - lag / bandwidth
        across = scores[lag:].T @ scores[:-lag]
        spread += weight * (across + across.T)
    variances = np.diag(inverse @ spread @ inverse) * count / (count - terms)
    critical = _critical(bandwidth / count)
    halves = np.maximum(critical * np.sqrt(np.maximum(variances, 0.0)), floor_mb / count)
    return [
        Interval(float(value - half), float(value), float(value + half))
        for value, half in zip(found, halves, strict=True)
    ]


def _critical(share: float) -> float:
    """Return the two-sided 95 % value for a Bartlett bandwidth of ``share`` of the record (Kiefer and Vogelsang)."""
    return 1.96 + 2.9694 * share + 0.416 * share**2 - 0.5324 * share**3

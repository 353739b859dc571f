"""Judge open descriptors and threads: whole numbers that should come back to where they were.

Counts do not jitter like memory, so the tolerance is small: one more in fifty iterations is a leak. A pool
of threads that fills up and stops is not.
"""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.judging.channel import judge_channel
from orchestrator.analysis.judging.decision import ChannelVerdict
from orchestrator.analysis.judging.pace import EACH_ITERATION, Pace
from orchestrator.analysis.series import SeriesLike, as_series

COUNT_TOLERANCE = 0.02
"""Accepted growth of a count per iteration."""

HOURLY_COUNT_TOLERANCE = 0.5
"""The same per hour, where the series has a clock."""

_COUNT_FLOOR = 0.25


def judge_count(
    values: SeriesLike, name: str, *, tolerance: float | None = None, pace: Pace = EACH_ITERATION
) -> ChannelVerdict:
    """Judge a series of counts, e.g. ``judge_count(fds, "descriptors")``.

    Args:
        values: One count per iteration.
        name: What is counted, plural, for the reasons and errors.
        tolerance: Accepted growth per iteration, or per hour; by default 0.02, or 0.5.
        pace: How far apart two readings are.

    Raises:
        ValueError: A count is not finite, negative or not whole, or the shape is wrong.
    """
    series = as_series(values, name)
    wrong = np.flatnonzero((series < 0) | (series != np.round(series)))
    if wrong.size:
        index = int(wrong[0])
        raise ValueError(f"{name}: reading {index + 1} of {series.size} is {series[index]}, not a count")
    accepted = COUNT_TOLERANCE if pace.per == "iteration" else HOURLY_COUNT_TOLERANCE
    return judge_channel(
        series, tolerance or accepted, noise_floor=_COUNT_FLOOR, unit=name, name=name, pace=pace
    )

"""The fitted line and its interval, as something to draw over the readings. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.analysis.judging.judged import ChannelJudgement


class FitPoint(NamedTuple):
    """The line at one iteration, or between two, MB, with the ends of its fan; None where the slope has no interval."""

    iteration: float
    fitted_mb: float
    low_mb: float | None
    high_mb: float | None


def fit_points(
    iterations: Sequence[int], values_mb: Sequence[float], channel: ChannelJudgement | None
) -> list[FitPoint]:
    """Return the judged slope through the middle of the readings after the warm-up.

    The fan shows the 95 % interval of the slope, turned about that middle. Empty when there is no slope or
    there are fewer than two readings.
    """
    if channel is None or channel.rate_mb_per_iteration is None:
        return []
    at, values = list(iterations[channel.warm_up :]), list(values_mb[channel.warm_up :])
    if len(at) < 2:
        return []
    middle, level = sum(at) / len(at), sum(values) / len(values)
    points: list[FitPoint] = []
    for iteration in (float(at[0]), middle, float(at[-1])):
        away = iteration - middle
        low = high = None
        if channel.ci_low is not None and channel.ci_high is not None:
            low, high = sorted((level + channel.ci_low * away, level + channel.ci_high * away))
        points.append(FitPoint(iteration, level + channel.rate_mb_per_iteration * away, low, high))
    return points

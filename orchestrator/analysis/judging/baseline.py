"""Hold in-process growth and level against those of fresh processes, both read at the same boundary.

The process-restart baseline answers what a series alone cannot: what the machine, the input and the way of
measuring do by themselves. Each slope is the one its own judgement gives, over its own iterations after its own
warm-up, so that the numbers agree with those shown beside them; the noise of the two is independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, sqrt

from orchestrator.analysis.fitting.distributions import student_quantile
from orchestrator.analysis.fitting.slope import SlopeEstimate
from orchestrator.analysis.judging.decision import ChannelVerdict
from orchestrator.analysis.judging.difference import Difference, rate_difference
from orchestrator.analysis.judging.judged import AgainstBaseline, BeyondBaseline, LevelAboveFresh, finite
from orchestrator.analysis.judging.verdict import Verdict
from orchestrator.analysis.series import SeriesLike, as_series

_UPPER = 0.975


def growth_beyond(own: SlopeEstimate, fresh: SlopeEstimate) -> Difference:
    """Return the growth of a method beyond that of fresh processes, with its 95 % interval.

    Zou and Donner's way (Statistics in Medicine 27, 2008): the distances to the ends add up as variances do,
    so that an interval that is not symmetric, or was widened for a doubt of its own, keeps what it says.
    """
    return rate_difference((fresh.low, fresh.rate, fresh.high), (own.low, own.rate, own.high))


def level_beyond(level: float, fresh: SeriesLike) -> Difference:
    """Return how far ``level`` stands above the mean of ``fresh``, unit of the readings.

    The interval tells how well that mean is known (t, 95 %); without end for a single reading.

    Raises:
        ValueError: There is no fresh reading, or one that is not finite.
    """
    readings = as_series(fresh, "fresh")
    if not readings.size:
        raise ValueError("there is no fresh reading")
    above = level - float(readings.mean())
    if readings.size < 2:
        return Difference(above, -inf, inf)
    error = float(readings.std(ddof=1)) / sqrt(readings.size)
    half = student_quantile(readings.size - 1, _UPPER) * error
    return Difference(above, above - half, above + half)


def hold_against(
    own: Verdict,
    fresh: Verdict,
    *,
    series: str,
    boundary: str,
    iterations: int,
    level: LevelAboveFresh | None = None,
) -> AgainstBaseline:
    """Return a method held against the baseline, channel by channel.

    Args:
        own: The method's verdict.
        fresh: The baseline's, read at the method's boundary.
        series: Key of the baseline.
        boundary: Where both were read.
        iterations: Readings of the baseline.
        level: How far the method stands above it, see :func:`level_above_fresh`.
    """
    channels, others = dict(own.channels), dict(fresh.channels)
    held = {name: _beyond(channels[name], others[name]) for name in channels if name in others}
    return AgainstBaseline(
        series=series,
        boundary=boundary,
        iterations=iterations,
        rate_channel=own.rate_channel if own.rate_channel in held else "rss",
        channels=held,
        level=level,
    )


def level_above_fresh(
    iteration: int, rss_mb: float, fresh_by_life_mb: Mapping[int, Sequence[float]], recycle_after: int
) -> LevelAboveFresh | None:
    """Hold a method's RSS at ``iteration`` against fresh processes at the same point of their life.

    Args:
        iteration: Iterations the method had done, counted from 1.
        rss_mb: Its RSS then.
        fresh_by_life_mb: RSS of the baseline's processes by how many iterations they had done.
        recycle_after: After how many iterations the baseline starts a fresh process.

    Returns:
        The comparison at life min(iteration, recycle_after), or the oldest below it that was read; None without one.
    """
    lives = [
        life
        for life, readings in fresh_by_life_mb.items()
        if life <= min(iteration, recycle_after) and len(readings)
    ]
    if not lives:
        return None
    life = max(lives)
    above = level_beyond(rss_mb, fresh_by_life_mb[life])
    return LevelAboveFresh(
        iteration=iteration,
        life=life,
        rss_mb=rss_mb,
        fresh_rss_mb=rss_mb - above.value,
        above_mb=above.value,
        ci_low=finite(above.low),
        ci_high=finite(above.high),
    )


def _beyond(own: ChannelVerdict, fresh: ChannelVerdict) -> BeyondBaseline:
    beyond = growth_beyond(own.slope, fresh.slope)
    return BeyondBaseline(
        fresh_mb_per_iteration=finite(fresh.slope.rate),
        fresh_ci_low=finite(fresh.slope.low),
        fresh_ci_high=finite(fresh.slope.high),
        beyond_mb_per_iteration=finite(beyond.value),
        beyond_ci_low=finite(beyond.low),
        beyond_ci_high=finite(beyond.high),
    )

"""Compare in-process growth with that of fresh processes, at the same boundary.

The process-restart baseline answers what a series alone cannot: what the machine, the input and the way of
measuring do by themselves. Each slope is taken over its own iterations after its own warm-up; their noise is
independent, so the variances of the slopes add.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from scipy.special import stdtrit

from orchestrator.analysis.series import SeriesLike, as_series
from orchestrator.analysis.slope import FEWEST_READINGS, SlopeEstimate, fgls_slope
from orchestrator.analysis.spikes import remove_spikes
from orchestrator.analysis.tolerance import RSS_FLOOR_MB
from orchestrator.analysis.warm_up import SHORTEST_TAIL, find_warm_up

_FEWEST_DEGREES = 3.0


@dataclass(frozen=True, slots=True)
class SlopeDifference:
    """Growth beyond another series' growth, per iteration, with the two-sided interval.

    Attributes:
        difference: Slope of the first minus slope of the second.
        low: Lower end of its interval.
        high: Upper end of its interval.
        first: The first series' slope, e.g. of ``restart``.
        second: The second series' slope, e.g. of the baseline.
        confidence: Probability that the interval is meant to hold.
    """

    difference: float
    low: float
    high: float
    first: SlopeEstimate
    second: SlopeEstimate
    confidence: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes no difference."""
        return self.low > 0 or self.high < 0


def slope_difference(
    first: SlopeEstimate, second: SlopeEstimate, *, confidence: float = 0.95
) -> SlopeDifference:
    """Return how much faster the first grows, by the approximation of Welch and Satterthwaite."""
    a, b = first.standard_error**2, second.standard_error**2
    total = a + b
    error = sqrt(total)
    shares = a * a / first.degrees_of_freedom + b * b / second.degrees_of_freedom
    degrees = max(total * total / shares, _FEWEST_DEGREES) if shares > 0 else _FEWEST_DEGREES
    half = float(stdtrit(degrees, 0.5 + confidence / 2)) * error
    difference = first.rate - second.rate
    return SlopeDifference(difference, difference - half, difference + half, first, second, confidence)


def compare_with_baseline(
    series: SeriesLike,
    baseline: SeriesLike,
    *,
    noise_floor: float = RSS_FLOOR_MB,
    confidence: float = 0.95,
) -> SlopeDifference:
    """Return the growth of ``series`` beyond that of ``baseline``, unit of the readings per iteration.

    Args:
        series: Readings of an in-process method, one per iteration.
        baseline: Readings of fresh processes at the same boundary, one per iteration; the length may differ.
        noise_floor: The smallest difference a reading can show, same unit.
        confidence: Probability that the interval is meant to hold.

    Raises:
        ValueError: A series has fewer than four readings or one that is not finite.
    """
    return slope_difference(
        settled_slope(series, "series", noise_floor, confidence),
        settled_slope(baseline, "baseline", noise_floor, confidence),
        confidence=confidence,
    )


def settled_slope(
    values: SeriesLike, name: str, noise_floor: float, confidence: float = 0.95
) -> SlopeEstimate:
    """Return the slope of a series after spikes and warm-up are taken off.

    Raises:
        ValueError: Fewer than four readings, or one that is not finite.
    """
    series = as_series(values, name)
    if series.size < FEWEST_READINGS:
        raise ValueError(f"{name}: a slope needs at least {FEWEST_READINGS} readings, found {series.size}")
    cleaned = remove_spikes(series, noise_floor)
    start = find_warm_up(cleaned, noise_floor).length if series.size > SHORTEST_TAIL else 0
    return fgls_slope(cleaned[start:], noise_floor=noise_floor, confidence=confidence)

"""The difference of two means or of two rates, with a 95 % interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

from orchestrator.analysis.fitting.distributions import student_quantile
from orchestrator.analysis.series import SeriesLike, as_series

_UPPER = 0.975
_LIKE_SIZE = 1.5


@dataclass(frozen=True, slots=True)
class Difference:
    """The second less the first, in their unit. Without an interval the ends are infinite."""

    value: float
    low: float
    high: float

    @property
    def resolved(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def mean_difference(first: SeriesLike, second: SeriesLike) -> Difference:
    """Return the difference of two means, by Welch's unequal-variance t (Biometrika 34, 1947).

    The readings of each side are taken to be independent. A side of one reading has no interval.

    Raises:
        ValueError: A side is empty, or holds what is not finite.
    """
    a, b = as_series(first, "first"), as_series(second, "second")
    if not a.size or not b.size:
        raise ValueError("both sides need a reading")
    value = float(b.mean() - a.mean())
    if min(a.size, b.size) < 2:
        return Difference(value, -inf, inf)
    shares = [float(side.var(ddof=1)) / side.size for side in (a, b)]
    variance = sum(shares)
    if variance == 0:
        return Difference(value, value, value)
    degrees = variance**2 / sum(s**2 / (n - 1) for s, n in zip(shares, (a.size, b.size), strict=True))
    half = student_quantile(degrees, _UPPER) * sqrt(variance)
    return Difference(value, value - half, value + half)


def rate_difference(first: tuple[float, float, float], second: tuple[float, float, float]) -> Difference:
    """Return the difference of two independent rates, each (low, rate, high).

    The distances to the ends add up as variances do, each end with the one that faces it, so that intervals
    that are not symmetric stay so.
    """
    value = second[1] - first[1]
    down = sqrt((second[1] - second[0]) ** 2 + (first[2] - first[1]) ** 2)
    up = sqrt((second[2] - second[1]) ** 2 + (first[1] - first[0]) ** 2)
    return Difference(value, value - down, value + up)


def run_difference(first: SeriesLike, second: SeriesLike, *, confidence: float = 0.95) -> Difference:
    """Return the difference of the means of two sides of runs, one number a run.

    Sides of like size share one variance between runs, which a few runs alone tell badly; sides of different size each
    have their own (Welch).

    Raises:
        ValueError: A side has fewer than two runs, or holds what is not finite.
    """
    a, b = as_series(first, "first"), as_series(second, "second")
    if min(a.size, b.size) < 2:
        raise ValueError("both sides need two runs")
    value = float(b.mean() - a.mean())
    squares = [float(side.var(ddof=1)) for side in (a, b)]
    if max(a.size, b.size) <= _LIKE_SIZE * min(a.size, b.size):
        degrees = float(a.size + b.size - 2)
        pooled = sum(s * (n - 1) for s, n in zip(squares, (a.size, b.size), strict=True)) / degrees
        variance = pooled * (1 / a.size + 1 / b.size)
    else:
        shares = [s / n for s, n in zip(squares, (a.size, b.size), strict=True)]
        variance = sum(shares)
        spread = sum(s**2 / (n - 1) for s, n in zip(shares, (a.size, b.size), strict=True))
        degrees = variance**2 / spread if spread else 1.0
    half = student_quantile(degrees, 0.5 + confidence / 2) * sqrt(variance)
    return Difference(value, value - half, value + half)

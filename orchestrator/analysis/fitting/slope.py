"""Estimate the slope of one series, with an interval that is also valid for autocorrelated noise.

Memory readings are not independent: a pool that is a little fuller now is a little fuller next
time. Ordinary regression then claims several times the certainty it has. The estimate here is
feasible generalised least squares with a first-order autoregression of the noise, after Perron and
Yabu (2009, "Estimating deterministic trends with an integrated or stationary noise component",
Journal of Econometrics 151): when the autocorrelation is near one it is set to one, where the slope is
the mean difference, and the same interval serves stationary and random-walk noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from orchestrator.analysis.fitting.distributions import student_quantile
from orchestrator.analysis.fitting.spikes import remove_spikes
from orchestrator.analysis.series import FloatArray, SeriesLike, as_series

FEWEST_READINGS = 4
"""Fewer readings than this leave nothing to judge the noise by."""

_LARGEST_STATIONARY = 0.99
_FEWEST_DEGREES = 4.0


@dataclass(frozen=True, slots=True)
class SlopeEstimate:
    """A slope per iteration with a two-sided interval.

    Attributes:
        rate: Change per iteration, in the unit of the series.
        low: Lower end of the interval.
        high: Upper end of the interval.
        standard_error: Standard error of ``rate``.
        degrees_of_freedom: Degrees of freedom of the t distribution behind the interval.
        autocorrelation: First-order autocorrelation of the noise used; 1 means a random walk.
        count: Number of readings used.
        confidence: Probability that the interval is meant to hold, e.g. 0.95.
    """

    rate: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    autocorrelation: float
    count: int
    confidence: float = 0.95

    def bound(self, probability: float) -> float:
        """Return the value the true slope is below with ``probability`` (0 to 1, one-sided)."""
        quantile = student_quantile(self.degrees_of_freedom, probability)
        return self.rate + quantile * self.standard_error

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the two-sided interval that holds the true slope with ``confidence``."""
        return self.bound(0.5 - confidence / 2), self.bound(0.5 + confidence / 2)

    def scaled(self, factor: float) -> SlopeEstimate:
        """Return the same estimate in another unit: every slope times ``factor`` (> 0)."""
        return SlopeEstimate(
            self.rate * factor,
            self.low * factor,
            self.high * factor,
            self.standard_error * factor,
            self.degrees_of_freedom,
            self.autocorrelation,
            self.count,
            self.confidence,
        )


def robust_slope(values: SeriesLike, *, noise_floor: float = 0.0, confidence: float = 0.95) -> SlopeEstimate:
    """Return the slope of a whole series after taking single spikes out of it.

    No warm-up is cut here: give the part of the series that is to be judged.

    Args:
        values: One reading per iteration, at least four.
        noise_floor: The smallest difference the reading can show (a page, for RSS), same unit. The
            standard deviation of the noise is never taken to be less than a third of it.
        confidence: Probability that the interval is meant to hold.

    Raises:
        ValueError: Fewer than four readings, a reading that is not finite, or a shape that is not
            one-dimensional.
    """
    series = as_series(values, "series")
    return fgls_slope(remove_spikes(series, noise_floor), noise_floor=noise_floor, confidence=confidence)


def fgls_slope(values: FloatArray, *, noise_floor: float = 0.0, confidence: float = 0.95) -> SlopeEstimate:
    """Return the generalised least-squares slope of ``values`` as they are.

    Arguments and errors as for ``robust_slope``.
    """
    count = values.size
    if count < FEWEST_READINGS:
        raise ValueError(f"a slope needs at least {FEWEST_READINGS} readings, found {count}")
    variance_floor = (noise_floor / 3.0) ** 2
    phi = noise_autocorrelation(values, variance_floor)
    if phi >= 1.0:
        step = np.diff(values)
        rate = float(step.mean())
        variance = max(float(step.var(ddof=1)), variance_floor)
        error, degrees = sqrt(variance / (count - 1)), float(count - 2)
    else:
        rate, error = _prais_winsten(values, phi, variance_floor)
        degrees = count * (1 - phi) / (1 + phi) - 2
    degrees = max(_FEWEST_DEGREES, degrees)
    half = student_quantile(degrees, 0.5 + confidence / 2) * error
    return SlopeEstimate(rate, rate - half, rate + half, error, degrees, phi, count, confidence)


def noise_autocorrelation(values: FloatArray, variance_floor: float = 0.0) -> float:
    """Return the noise's first-order autocorrelation about a straight line, 0 to 0.99, or exactly 1.

    The estimate is corrected for its downward bias in short series, ``(n phi + 2) / (n - 4)``, and
    set to one above ``1 - n ** -0.5``. Noise that is below the floor, and negative autocorrelation,
    count as none, which widens an interval, never narrows it.
    """
    residual = line_residuals(values)
    count = values.size
    power = float(residual[:-1] @ residual[:-1])
    # Rounding leaves residuals of 1e-13 of the level, neatly alternating or drifting: not noise.
    rounding = 1e-12 * (1.0 + float(np.abs(values).max()))
    if power <= count * max(variance_floor, rounding**2):
        return 0.0
    raw = float(residual[1:] @ residual[:-1]) / power
    corrected = (count * raw + 2.0) / max(count - 4.0, 1.0)
    if corrected > 1.0 - count**-0.5:
        return 1.0
    return min(max(corrected, 0.0), _LARGEST_STATIONARY)


def line_residuals(values: FloatArray) -> FloatArray:
    """Return ``values`` minus their ordinary least-squares line."""
    position = np.arange(values.size) - (values.size - 1) / 2
    centred = values - values.mean()
    slope = float(position @ centred) / float(position @ position)
    return np.asarray(centred - slope * position, dtype=np.float64)


def _prais_winsten(values: FloatArray, phi: float, variance_floor: float) -> tuple[float, float]:
    """Return slope and standard error of a line under stationary AR(1) noise ``phi``."""
    count = values.size
    level = values.mean()
    design = np.empty((count, 3))
    design[:, 0] = 1.0
    design[:, 1] = np.arange(count) - (count - 1) / 2
    design[:, 2] = values - level
    design[1:] -= phi * design[:-1].copy()
    design[0] *= sqrt(1 - phi * phi)
    gram = design.T @ design
    determinant = float(gram[0, 0] * gram[1, 1] - gram[0, 1] ** 2)
    slope = float(gram[0, 0] * gram[1, 2] - gram[0, 1] * gram[0, 2]) / determinant
    offset = float(gram[1, 1] * gram[0, 2] - gram[0, 1] * gram[1, 2]) / determinant
    residual = design[:, 2] - offset * design[:, 0] - slope * design[:, 1]
    variance = max(float(residual @ residual) / (count - 2), variance_floor)
    return slope, sqrt(variance * float(gram[0, 0]) / determinant)

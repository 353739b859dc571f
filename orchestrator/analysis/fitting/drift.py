"""The drift of a level that wanders by itself: the interval for growth whose size varies from call to call.

A straight line under noise knows its slope too well when the growth itself is random: a leak of another size at each
call, an arena now and then. The local level with drift (Harvey 1989, "Forecasting, structural time series models and
the Kalman filter", ch. 2) has both kinds of chance::

    reading = level + noise            noise ~ N(0, s2)
    level   = level before + drift + shock,    shock ~ N(0, q s2)

With ``q = 0`` it is a line under independent noise, with ``q`` large the mean of the differences. Differencing takes
the unknown first level away (restricted likelihood, Patterson and Thompson 1971); the covariance of the differences is
``q I + T`` with the tridiagonal ``T = (-1, 2, -1)``, which the sine transform makes diagonal, so that every ``q`` costs
no more than a sum. ``q`` is not estimated but averaged over, each value by its likelihood: in a short record many fit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from orchestrator.analysis.fitting.mixture import mixture_quantile
from orchestrator.analysis.series import FloatArray

_SHARES = np.concatenate(([0.0], np.geomspace(1e-4, 1e4, 33)))
"""Values of q that are averaged over."""


class Drift(NamedTuple):
    """The drift per reading: its mean, and the ends of the interval."""

    rate: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """A quarter of the interval: about the standard error of the rate."""
        return (self.high - self.low) / 4.0


def drift(values: FloatArray, noise_floor: float, confidence: float = 0.95) -> Drift:
    """Return the drift of at least four readings with its interval.

    Args:
        values: The readings after the warm-up.
        noise_floor: The smallest difference a reading can show, same unit; the noise is at least a third of it.
        confidence: Probability that the interval is meant to hold.
    """
    step = np.diff(values)
    count = step.size
    turned, ones = _sine_transform(step), _sine_transform(np.ones(count))
    angle = np.arange(1, count + 1) * np.pi / (count + 1)
    spectrum = _SHARES[:, None] + 2.0 - 2.0 * np.cos(angle)
    weighted = ones / spectrum
    information = weighted @ ones
    rates = (weighted @ turned) / information
    left = np.sum((turned - rates[:, None] * ones) ** 2 / spectrum, axis=1)
    floor = (noise_floor / 3.0) ** 2 / (1.0 + _SHARES)
    variance = np.maximum(left / (count - 1), np.maximum(floor, 1e-300))
    fit = -0.5 * ((count - 1) * np.log(variance) + np.log(spectrum).sum(axis=1) + np.log(information))
    weight = np.exp(fit - fit.max())
    weight /= weight.sum()
    errors = np.sqrt(variance / information)
    outside, degrees = (1 - confidence) / 2, np.full(rates.size, count - 1.0)
    return Drift(
        float(weight @ rates),
        mixture_quantile(outside, rates, errors, weight, degrees),
        mixture_quantile(1 - outside, rates, errors, weight, degrees),
    )


def _sine_transform(values: FloatArray) -> FloatArray:
    """Return the orthonormal sine transform of type one, by a Fourier transform of the odd continuation."""
    count = values.size
    odd = np.concatenate(([0.0], values, [0.0], -values[::-1]))
    return np.asarray(-np.fft.rfft(odd).imag[1 : count + 1] / np.sqrt(2.0 * (count + 1)), dtype=np.float64)

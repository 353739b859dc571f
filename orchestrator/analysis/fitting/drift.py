"""Estimate the drift of a random walk: the interval for growth whose size varies at random from call to call.

A straight line under noise knows its slope too well when the growth itself is random: a leak of another size at each
call, an arena now and then. The local level with drift (Harvey 1989, "Forecasting, structural time series models and
the Kalman filter", ch. 2) has both kinds of chance::

    reading = level + noise            noise ~ N(0, s2)
    level   = level before + drift + shock,    shock ~ N(0, q s2)

With ``q = 0`` it is a line under independent noise, with ``q`` large the mean of the differences. Differencing takes
the unknown first level away (restricted likelihood, Patterson and Thompson 1971); the covariance of the differences is
``q I + T`` with the tridiagonal ``T = (-1, 2, -1)``, which the sine transform makes diagonal, so that every ``q`` costs
no more than a sum. ``q`` is not estimated but averaged over, each value by its likelihood: in a short record many fit.

Noise that is only slow to return looks like a level that wanders, but it does return, and the slope of a line under it
is known far better. So a line under noise of autocorrelation ``phi`` is averaged in as well, by a likelihood of the
same kind. Beforehand it has a tenth of the weight: only a record that tells the two apart narrows the interval.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from orchestrator.analysis.fitting.mixture import mixture_quantile
from orchestrator.analysis.series import FloatArray

_SHARES = np.concatenate(([0.0], np.geomspace(1e-4, 1e4, 33)))
"""Values of q that are averaged over."""

_RETURNS = np.arange(0.0, 0.95, 0.1)
"""Values of phi that are averaged over. Noise that is slower to return cannot be told from a level that wanders."""

_RETURNS_PRIOR = (
    0.1  # of the weight of a level that wanders: an interval too narrow costs more than one too wide
)


class Drift(NamedTuple):
    """The drift per reading: its mean, and the ends of the interval."""

    rate: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """A quarter of the interval: about the standard error of the rate."""
        return (self.high - self.low) / 4.0


def drift(
    values: FloatArray, noise_floor: float, confidence: float = 0.95, *, may_return: bool = False
) -> Drift:
    """Return the drift of at least four readings with its interval.

    Args:
        values: The readings after the warm-up.
        noise_floor: The smallest difference a reading can show, same unit; the noise is at least a third of it.
        confidence: Probability that the interval is meant to hold.
        may_return: Also weigh a line under noise that is slow to return.
    """
    # Both kinds are likelihoods of the same differences, so their weights can be compared as they are.
    models = _wandering(values, noise_floor)
    if may_return:
        returning = _returning(values, noise_floor)
        models = _Models(*(np.concatenate(both) for both in zip(models, returning, strict=True)))
    weight = np.exp(models.fit - models.fit.max())
    weight /= weight.sum()
    outside, degrees = (1 - confidence) / 2, np.full(weight.size, values.size - 2.0)
    return Drift(
        float(weight @ models.rate),
        mixture_quantile(outside, models.rate, models.error, weight, degrees),
        mixture_quantile(1 - outside, models.rate, models.error, weight, degrees),
    )


class _Models(NamedTuple):
    """Models of one kind: rates, their standard errors, and the logarithms of their likelihoods with the prior."""

    rate: FloatArray
    error: FloatArray
    fit: FloatArray


def _wandering(values: FloatArray, noise_floor: float) -> _Models:
    """Return the local level with drift for every ``q``."""
    step = np.diff(values)
    count = step.size
    turned, ones = _sine_transform(step), _sine_transform(np.ones(count))
    # The eigenvalues of T are 2 - 2 cos(angle), those of q I + T lie q higher: a diagonal for every q at once.
    angle = np.arange(1, count + 1) * np.pi / (count + 1)
    spectrum = _SHARES[:, None] + 2.0 - 2.0 * np.cos(angle)
    weighted = ones / spectrum
    information = weighted @ ones
    rates = (weighted @ turned) / information
    left = np.sum((turned - rates[:, None] * ones) ** 2 / spectrum, axis=1)
    floor = (noise_floor / 3.0) ** 2 / (1.0 + _SHARES)
    variance = np.maximum(left / (count - 1), np.maximum(floor, 1e-300))
    # The drift is integrated out, therefore count - 1 and the information (restricted likelihood).
    fit = -0.5 * ((count - 1) * np.log(variance) + np.log(spectrum).sum(axis=1) + np.log(information))
    return _Models(rates, np.sqrt(variance / information), fit - np.log(_SHARES.size))


def _returning(values: FloatArray, noise_floor: float) -> _Models:
    """Return the line under autocorrelated noise for every ``phi``, whitened by the recursion of the noise.

    The likelihood is that of the differences: the determinant of their covariance is that of the readings, times what
    the readings know of the level (Harville 1974).
    """
    count = values.size
    rates, errors, fits = (np.empty(_RETURNS.size) for _ in range(3))
    position = np.arange(count, dtype=np.float64) - (count - 1) / 2
    around = np.asarray(values - values.mean(), dtype=np.float64)
    for index, phi in enumerate(_RETURNS):
        level, line, target = (_whitened(column, phi) for column in (np.ones(count), position, around))
        of_level = float(level @ level)
        line = line - level * (float(level @ line) / of_level)
        target = target - level * (float(level @ target) / of_level)
        information = float(line @ line)
        rates[index] = rate = float(line @ target) / information
        left = float(np.sum((target - rate * line) ** 2))
        variance = max(left / (count - 2), (noise_floor / 3.0) ** 2, 1e-300)
        errors[index] = np.sqrt(variance / information)
        unit = -np.log1p(-phi * phi) + np.log(of_level)
        fits[index] = -0.5 * ((count - 2) * np.log(variance) + unit + np.log(information))
    return _Models(rates, errors, fits + np.log(_RETURNS_PRIOR / _RETURNS.size))


def _whitened(column: FloatArray, phi: float) -> FloatArray:
    """Return a column in which noise of autocorrelation ``phi`` is independent, of the variance of its shocks."""
    return np.concatenate(([np.sqrt(1.0 - phi * phi) * column[0]], column[1:] - phi * column[:-1]))


def _sine_transform(values: FloatArray) -> FloatArray:
    """Return the orthonormal sine transform of type one, by a Fourier transform of the odd continuation."""
    count = values.size
    odd = np.concatenate(([0.0], values, [0.0], -values[::-1]))
    return np.asarray(-np.fft.rfft(odd).imag[1 : count + 1] / np.sqrt(2.0 * (count + 1)), dtype=np.float64)

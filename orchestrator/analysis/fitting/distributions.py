"""Student's t and the gamma distribution: probabilities and quantiles, with numpy alone.

Both become ``exp(-h(u))`` with a convex ``h`` whose minimum is ``h(0) = 0``, when the value is written as::

    t = sqrt(degrees) * sinh(u)        h(u) = degrees * log(cosh(u))
    x = shape * exp(u)                 h(u) = shape * (exp(u) - 1 - u)

A density of that form is smooth and falls at least exponentially on either side, so that Gauss and Legendre's rule
gives the mass beyond a place, in proportion to the density there, to about 13 digits however far out the place is. Its
logarithm is concave, so that Newton's method finds quantiles from wherever it begins.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from math import exp, inf, lgamma, log, log1p, sinh, sqrt

import numpy as np
from numpy.polynomial import Legendre

from orchestrator.analysis.series import FloatArray

_NATS = 40.0  # where the density has fallen to exp(-40) of what it was, nothing is left that counts
_BEYOND_FLOATS = 800.0  # exp(-800) is 0
_MOST_SINH = 710.0  # that of 711 is beyond floats
_SMALL = 1e-2
_BY_LGAMMA = 100.0  # above, the difference of so large logarithms has fewer digits than the integral
_CLOSE = 1e-9  # Newton's next step would be the square of this
_MOST_STEPS = 60


def _rule(points: int) -> tuple[FloatArray, FloatArray]:
    """Return places and weights of Gauss and Legendre's rule on (0, 1).

    Not ``leggauss``, which asks LAPACK for eigenvalues: OpenBLAS's threads then wait for more in a loop, which costs a
    command that judges one series more than the judging.
    """
    polynomial = Legendre.basis(points)
    slope = polynomial.deriv()
    place = np.cos(np.pi * (np.arange(points, 0.0, -1.0) - 0.25) / (points + 0.5))
    for _ in range(4):  # Newton's method, from Tricomi's four digits
        place -= polynomial(place) / slope(place)
    return (place + 1.0) / 2.0, 1.0 / ((1.0 - place) * (1.0 + place) * slope(place) ** 2)


_PLACES, _WEIGHTS = _rule(64)


def student_at(degrees: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the probabilities that t with ``degrees`` (at least 1) lies below ``value``, and its densities there.

    Both arguments are arrays of one length.
    """
    scale = np.sqrt(degrees)
    at = np.arcsinh(np.abs(value) / scale)
    height = _log_cosh(at)
    share = np.exp(-degrees * height) / np.array([_student_mass(each) for each in degrees.tolist()])
    beyond = share * _student_ratio(degrees, at)
    return np.where(value < 0.0, beyond, 1.0 - beyond), share * np.exp(-height) / scale


@lru_cache(maxsize=4096)
def student_quantile(degrees: float, probability: float) -> float:
    """Return the value that t with ``degrees`` (at least 1) lies below with ``probability``, between 0 and 1."""
    outside = min(probability, 1.0 - probability)
    at = _distance(partial(_student_tail, degrees), outside)
    far = sinh(at) if at < _MOST_SINH else inf
    return (1.0 if probability > outside else -1.0) * sqrt(degrees) * far


def gamma_above(shape: float, value: float) -> float:
    """Return the probability that a gamma variable of ``shape`` (at least 1/2) and scale 1 exceeds ``value``."""
    if value <= 0.0 or value == inf:
        return float(value <= 0.0)
    # near the mode the first has its digits, far from it the second neither underflows nor overflows
    at = log1p((value - shape) / shape) if abs(value - shape) < shape / 2.0 else log(value) - log(shape)
    if at > 0.0 and value - shape * (1.0 + at) > _BEYOND_FLOATS:
        return 0.0
    log_mass, _ = _gamma_tail(shape, 1.0 if at > 0.0 else -1.0, abs(at))
    return exp(log_mass) if at > 0.0 else 1.0 - exp(log_mass)


@lru_cache(maxsize=4096)
def gamma_quantile(shape: float, probability: float) -> float:
    """Return what a gamma variable of ``shape`` (at least 1/2) and scale 1 lies below with ``probability`` (0 to 1)."""
    upwards = probability > 1.0 - gamma_above(shape, shape)
    side, outside = (1.0, 1.0 - probability) if upwards else (-1.0, probability)
    return shape * exp(side * _distance(partial(_gamma_tail, shape, side), outside))


def _distance(tail: Callable[[float], tuple[float, float]], outside: float) -> float:
    """Return the distance from the mode beyond which the mass is ``outside``, by Newton's method on its logarithm.

    Args:
        tail: Gives, for a distance, the logarithm of the mass beyond it, and that mass over the density there.
        outside: At most the mass beyond distance 0.
    """
    if outside <= 0.0:
        return inf
    at, target = 0.0, log(outside)
    for _ in range(_MOST_STEPS):
        log_mass, ratio = tail(at)
        step = (log_mass - target) * ratio
        at = max(at + step, 0.0)
        if abs(step) <= _CLOSE * at + np.finfo(float).eps:
            break
    return at


def _log_cosh(at: FloatArray) -> FloatArray:
    return at + np.log1p(0.5 * np.expm1(-2.0 * at))


def _student_ratio(degrees: FloatArray, at: FloatArray) -> FloatArray:
    """Return the mass beyond ``at`` (not negative) in proportion to the density at it."""
    slope = np.tanh(at)
    fall = _NATS / degrees
    # The first is enough at the mode, and h is superadditive; the second is where its tangent has fallen so far.
    reach = fall + np.log1p(np.sqrt(-np.expm1(-2.0 * fall)))
    reach = np.minimum(reach, fall / np.maximum(slope, 1e-9))
    ahead = reach[:, None] * _PLACES
    # log(cosh(u + r) / cosh(u)), which has its digits however large u is
    rise = ahead + np.log1p((0.5 * (1.0 - slope))[:, None] * np.expm1(-2.0 * ahead))
    return np.asarray(reach * (np.exp(-degrees[:, None] * rise) @ _WEIGHTS))


@lru_cache(maxsize=4096)
def _student_mass(degrees: float) -> float:
    return 2.0 * float(_student_ratio(np.array([degrees]), np.zeros(1))[0])


def _student_tail(degrees: float, at: float) -> tuple[float, float]:
    of, place = np.array([degrees]), np.array([at])
    ratio = float(_student_ratio(of, place)[0])
    return log(ratio / _student_mass(degrees)) - degrees * float(_log_cosh(place)[0]), ratio


def _gamma_tail(shape: float, side: float, at: float) -> tuple[float, float]:
    """Return the logarithm of the mass beyond ``at`` on that side of the mode, and that mass over its density."""
    height = shape * float(_exp_beyond_line(np.array([side * at]))[0])
    ratio = _gamma_ratio(shape, side, at)
    return log(ratio / _gamma_mass(shape)) - height, ratio


def _gamma_ratio(shape: float, side: float, at: float) -> float:
    slope = float(np.expm1(side * at))  # of h over the shape; beyond the mode it has the sign of the side
    wide = sqrt(2.0 * _NATS / shape)
    if side > 0:
        reach = log1p(wide + wide * wide / 2.0)
    else:
        reach = min(1.0 + _NATS / shape, 1.25 * wide if wide < 0.8 else inf)
    if slope:
        reach = min(reach, _NATS / (shape * abs(slope)))
    ahead = side * reach * _PLACES
    rise = (1.0 + slope) * _exp_beyond_line(ahead) + slope * ahead
    return reach * float(np.exp(-shape * rise) @ _WEIGHTS)


@lru_cache(maxsize=4096)
def _gamma_mass(shape: float) -> float:
    if shape <= _BY_LGAMMA:
        return exp(lgamma(shape) + shape - shape * log(shape))
    return _gamma_ratio(shape, 1.0, 0.0) + _gamma_ratio(shape, -1.0, 0.0)


def _exp_beyond_line(u: FloatArray) -> FloatArray:
    """Return ``exp(u) - 1 - u``, near zero by its series, where the difference would have no digits."""
    series = (
        u * u / 2.0 * (1.0 + u / 3.0 * (1.0 + u / 4.0 * (1.0 + u / 5.0 * (1.0 + u / 6.0 * (1.0 + u / 7.0)))))
    )
    return np.where(np.abs(u) < _SMALL, series, np.expm1(u) - u)

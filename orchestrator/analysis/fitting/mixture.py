"""Quantiles of a mixture of t distributions, as they come from averaging an estimate over several models."""

from __future__ import annotations

import math

import numpy as np

from orchestrator.analysis.fitting.distributions import student_at, student_quantile
from orchestrator.analysis.series import FloatArray

_MOST_STEPS = 100
_FINE = 1e-6  # of the largest error: finer than any interval is told
_NEGLIGIBLE = 1e-8
_MEDIAN = 0.5
_REACH = 40.0  # standard errors beyond the outermost middle; t with 2 degrees has its 99.9 % well within


def mixture_quantile(
    probability: float, middles: FloatArray, errors: FloatArray, weights: FloatArray, degrees: FloatArray
) -> float:
    """Return the quantile of the mixture at ``probability``, in the unit of ``middles``.

    Newton's method inside a bracket, which is halved instead where a step would leave it or is not half of the one
    before: at a model with next to no error the probability leaps. Of the last bracket the outer end is returned, so
    that an interval that ends at such a model holds it.

    Args:
        probability: Between 0 and 1.
        middles: Estimate of each model.
        errors: Its standard error, above zero.
        weights: Weight of each model; they add up to 1.
        degrees: Degrees of freedom of each error.
    """
    counts = weights > _NEGLIGIBLE
    middles, errors, weights, degrees = middles[counts], errors[counts], weights[counts], degrees[counts]
    widest = float(errors.max())
    low, high = float(middles.min()) - _REACH * widest, float(middles.max()) + _REACH * widest
    # Begun where the quantile of a single t of the same mean and variance lies.
    mean = float(weights @ middles)
    spread = math.sqrt(float(weights @ (errors**2 + (middles - mean) ** 2)))
    at = mean + student_quantile(float(degrees[np.argmax(weights)]), probability) * spread
    at, step = min(max(at, low), high), high - low
    for _ in range(_MOST_STEPS):
        if high - low < _FINE * widest:
            break
        below, density = student_at(degrees, (at - middles) / errors)
        missing = probability - float(weights @ below)
        low, high = (at, high) if missing > 0.0 else (low, at)
        dense = float(weights @ (density / errors))
        newton = missing / dense if dense > 0.0 else high - low
        # A little beyond where the quantile is expected, so that the bracket closes from the other side as well.
        newton += math.copysign(0.4 * _FINE * widest, missing)
        if abs(newton) < 0.5 * abs(step) and low < at + newton < high:
            at, step = at + newton, newton
        else:
            at, step = 0.5 * (low + high), high - low
    return low if probability < _MEDIAN else high

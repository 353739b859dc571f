"""Quantiles of a mixture of t distributions, as they come from averaging an estimate over several models."""

from __future__ import annotations

from scipy.special import stdtr

from orchestrator.analysis.series import FloatArray

_MOST_BISECTIONS = 60
_FINE = 1e-6  # of the largest error: finer than any interval is told
_NEGLIGIBLE = 1e-8
_MEDIAN = 0.5
_REACH = 40.0  # standard errors beyond the outermost middle; t with 2 degrees has its 99.9 % well within


def mixture_quantile(
    probability: float, middles: FloatArray, errors: FloatArray, weights: FloatArray, degrees: FloatArray
) -> float:
    """Return the quantile of the mixture at ``probability``, found by bisection, in the unit of ``middles``.

    Of the last bracket the outer end is returned, so that an interval that ends at a model without error holds it.

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
    for _ in range(_MOST_BISECTIONS):
        if high - low < _FINE * widest:
            break
        middle = 0.5 * (low + high)
        if float(weights @ stdtr(degrees, (middle - middles) / errors)) < probability:
            low = middle
        else:
            high = middle
    return low if probability < _MEDIAN else high

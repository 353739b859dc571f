"""Quantiles of a mixture of t distributions: an estimate averaged over models that are all possible."""

from __future__ import annotations

from scipy.special import stdtr

from orchestrator.analysis.series import FloatArray

_BISECTIONS = 50
_REACH = 40.0  # standard errors beyond the outermost middle; t with 2 degrees has its 99.9 % well within


def mixture_quantile(
    probability: float, middles: FloatArray, errors: FloatArray, weights: FloatArray, degrees: FloatArray
) -> float:
    """Return the value that the mixture is below with ``probability``, by bisection.

    Args:
        probability: Between 0 and 1.
        middles: Estimate of each model.
        errors: Its standard error, above zero.
        weights: Weight of each model; they add up to 1.
        degrees: Degrees of freedom of each error.
    """
    reach = _REACH * float(errors.max())
    low, high = float(middles.min()) - reach, float(middles.max()) + reach
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if float(weights @ stdtr(degrees, (middle - middles) / errors)) < probability:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)

"""Estimate future growth, averaged over all shapes, with the interval that decides whether a series is clean.

A line through a series at rest has a slope and an interval of its own, which says how well a slope could be known. That
it is at rest is another statement: the shapes that end level carry the weight. Their mean, each with its own error, is
what is known of the growth to come; when all of its interval lies within what is accepted the series is clean, which is
a test of equivalence, not the mere lack of evidence for growth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from orchestrator.analysis.fitting.mixture import mixture_quantile
from orchestrator.analysis.fitting.shapes import ShapeWeights
from orchestrator.analysis.fitting.slope import SlopeEstimate

_SMALLEST_ERROR = 1e-12
_STEPS = ("step", "steps")


def growth_ahead(shapes: ShapeWeights, slope: SlopeEstimate, noise_floor: float) -> SlopeEstimate:
    """Return the expected future growth per reading, averaged over all shapes by their weights.

    Steps go on with their probability, and otherwise have ended. The interval is never narrower than what one reading
    can show, spread over the readings.

    Args:
        shapes: The shapes weighed, see ``weigh_shapes``.
        slope: The slope at the end, whose count and confidence are kept.
        noise_floor: The smallest difference a reading can show, unit of the series.
    """
    middles: list[float] = []
    errors: list[float] = []
    degrees: list[float] = []
    weights: list[float] = []
    for kind, shape in shapes.shapes.items():
        weight = float(np.exp(-0.5 * shape.deficit))
        going_on = shape.growing if kind in _STEPS else 1.0
        middles += [shape.future, 0.0]
        errors += [max(shape.error, _SMALLEST_ERROR), _SMALLEST_ERROR]
        degrees += [shape.degrees_of_freedom, shape.degrees_of_freedom]
        weights += [weight * going_on, weight * (1.0 - going_on)]
    weight_of = np.array(weights) / sum(weights)
    middle, error, freedom = np.array(middles), np.array(errors), np.array(degrees)
    outside = (1 - slope.confidence) / 2
    ends = [mixture_quantile(p, middle, error, weight_of, freedom) for p in (outside, 1 - outside)]
    rate = float(weight_of @ middle)
    least = noise_floor / (2.0 * slope.count)
    return replace(slope, rate=rate, low=min(ends[0], rate - least), high=max(ends[1], rate + least))

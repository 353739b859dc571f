"""Estimate the slope at the end of a record; its interval includes the doubt about the shape of the growth."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np

from orchestrator.analysis.fitting.distributions import student_quantile
from orchestrator.analysis.fitting.drift import Drift, drift
from orchestrator.analysis.fitting.jumps import find_jumps, random_events
from orchestrator.analysis.fitting.shapes import ShapeWeights
from orchestrator.analysis.fitting.slope import SlopeEstimate, fgls_slope, line_residuals
from orchestrator.analysis.series import FloatArray

_ENDS_IN_A_LINE = ("line", "late", "two lines", "line and step", "line after decay")
_STEPS = ("step", "steps")
_BENDING = ("late", "two lines")
_MOSTLY_JUMPS = 0.5
_LIKELY_GROWING = 0.5
_COMPARABLE = 4.0  # in BIC: the worse shape still has an eighth of the weight
_FEWEST_DEGREES = 3.0
_WIDEST = 1.5
_HARDLY_FALLS = 0.1


def tail_slope(
    rest: FloatArray,
    shapes: ShapeWeights,
    noise_floor: float,
    slope_error: float = 0.0,
    longer: FloatArray | None = None,
) -> SlopeEstimate:
    """Return the slope at the end, averaged over the shapes that end in a line.

    What is left of a warm-up, or a late beginning, tilts a line through all readings; averaging by
    weight keeps that doubt in the interval. Growth by steps gets the interval of random steps.

    Args:
        rest: Readings after the warm-up, a cycle taken out.
        shapes: The shapes weighed on them.
        noise_floor: The smallest difference a reading can show, same unit.
        slope_error: Standard error of the slope beyond the noise, see ``Cycle.slope_error``.
        longer: The readings that the warm-up may have been cut from too generously; None: no more than ``rest``.
    """
    line = fgls_slope(rest, noise_floor=noise_floor)
    ends = [shapes.shapes[kind] for kind in _ENDS_IN_A_LINE]
    deficits = np.array([shape.deficit for shape in ends])
    weights = np.exp(-0.5 * (deficits - deficits.min()))
    weights /= weights.sum()
    # The line's own rate is that of fgls_slope, whose interval holds for a random walk as well; its weight is the
    # shape's.
    rates = np.array([line.rate, *(shape.future for shape in ends[1:])])
    # Fitted autocorrelation is too low in short records; the line's own is corrected for that.
    wider = min(max(line.standard_error / ends[0].error, 1.0), _WIDEST)
    errors = np.array([line.standard_error, *(wider * shape.error for shape in ends[1:])])
    degrees = np.array([line.degrees_of_freedom, *(shape.degrees_of_freedom for shape in ends[1:])])
    rate = float(weights @ rates)
    # Variance within the shapes and between them (law of total variance).
    variance = float(weights @ (errors**2 + (rates - rate) ** 2)) + slope_error**2
    estimate = _with_error(replace(line, rate=rate), sqrt(variance), float(weights @ degrees))
    steps = shapes.shapes.get("steps")
    if steps and shapes.growing > _LIKELY_GROWING and steps.deficit < deficits.min() + _COMPARABLE:
        estimate = _widened(estimate, steps.future, *random_events(steps.degrees_of_freedom))
    jumps = find_jumps(rest, noise_floor, 3 * noise_floor)
    estimate = _with_drift(estimate, rest, longer, shapes, noise_floor)
    # Between jumps nothing happens, so that noise about a line knows nothing of their rate: their number does.
    if rate > 0 and jumps.share > _MOSTLY_JUMPS and 1 < len(jumps.at) < rest.size / 2:
        least, most = jumps.factors(estimate.confidence)
        if shapes.best in _STEPS:
            return replace(estimate, low=rate * least, high=rate * most)
        estimate = _widened(estimate, rate, least, most)
    return estimate


def _with_drift(
    estimate: SlopeEstimate,
    rest: FloatArray,
    longer: FloatArray | None,
    shapes: ShapeWeights,
    noise_floor: float,
) -> SlopeEstimate:
    """Return the estimate with its interval widened to include that of a random walk with drift.

    Growth that sets in late has no single drift over the record, so it keeps the interval of its shape. Where growth is
    of random size the cut after the warm-up prefers what happens to be quiet, so that the longer record counts too,
    unless it is a warm-up: it grew faster than can be chance, or by so few large steps that nothing is known of it.
    """
    if shapes.best in _BENDING and shapes.shapes["line"].deficit > _COMPARABLE:
        return estimate
    if float(np.std(line_residuals(rest))) < noise_floor:
        return estimate  # as straight as readings can be: nothing wanders
    wandering = _of_sizes(rest, noise_floor, estimate.confidence)
    low, high = min(estimate.low, wandering.low), max(estimate.high, wandering.high)
    if longer is not None and longer.size > rest.size:
        before = _of_sizes(longer, noise_floor, estimate.confidence)
        # Only a record that overlaps: one that grew faster than can be chance was the warm-up, and stays cut away.
        if 0 < before.low < high:
            low, high = min(low, before.low), max(high, before.high)
    half = student_quantile(estimate.degrees_of_freedom, 0.5 + estimate.confidence / 2)
    return replace(estimate, low=low, high=high, standard_error=(high - low) / (2.0 * half))


def _of_sizes(values: FloatArray, noise_floor: float, confidence: float) -> Drift:
    """Return the drift. If the level hardly ever falls, the upper end allows for sizes with a long tail.

    Sums of positive sizes are skewed. The limits of a gamma with the same relative error (Garwood's, as for a number of
    events) reach farther up than those of the t distribution.
    """
    found = drift(values, noise_floor, confidence, may_return=True)
    step = np.diff(values)
    if (
        found.rate <= 0
        or found.error <= 0
        or float(-step[step < 0].sum()) > _HARDLY_FALLS * float(step.sum())
    ):
        return found
    _, most = random_events((found.rate / found.error) ** 2, confidence)
    return found._replace(high=max(found.high, found.rate * most))


def _widened(estimate: SlopeEstimate, rate: float, least: float, most: float) -> SlopeEstimate:
    """Return the estimate with an interval that reaches from ``least`` to ``most`` times ``rate``."""
    return replace(estimate, low=min(estimate.low, rate * least), high=max(estimate.high, rate * most))


def _with_error(estimate: SlopeEstimate, error: float, degrees: float) -> SlopeEstimate:
    degrees = max(degrees, _FEWEST_DEGREES)
    half = student_quantile(degrees, 0.5 + estimate.confidence / 2) * error
    return replace(
        estimate,
        low=estimate.rate - half,
        high=estimate.rate + half,
        standard_error=error,
        degrees_of_freedom=degrees,
    )

"""Fit the shapes that growth can have, and estimate whether it will continue and how fast.

A straight line is only one of the curves that fit a record. Each shape here is fitted by least squares
under first-order autoregressive noise, weighed by the Bayesian information criterion, and asked the one
question that separates a leak from a warm-up, a filling pool or a cache: with what probability does the
mean growth from the end of the record to ten times its length exceed the tolerance? All candidates of
one autocorrelation are fitted at once by projection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.fitting.distributions import student_at
from orchestrator.analysis.fitting.staircase import climb
from orchestrator.analysis.series import FloatArray

HORIZON = 10
"""Future growth is asked for up to this many times the record's length."""

_PHI_GRID = (0.0, 0.3, 0.5, 0.7, 0.85, 0.95)
_CHANGE_POINTS = 16
_MOST_STEP_PLACES = 64
_FEWEST_DEGREES = 2.0
_NEGLIGIBLE = 1e-12

_HANDICAP = {
    "flat": 0.0,
    "line": 1.0,
    "log": 4.5,
    "power": 6.0,
    "saturating": 4.5,
    "stopped": 4.5,
    "late": 4.0,
    "line after decay": 0.5,
    "two lines": 3.0,
    "step": 0.5,
    "line and step": 6.0,
    "steps": 4.0,
}
"""What a shape must fit better by, in BIC, because it is rarer than a line or nothing at all."""


class _Bank(NamedTuple):
    """The candidates of one record length and cut; one entry of each array per candidate."""

    columns: FloatArray  # readings x candidates, fitted beside a constant
    beside_line: npt.NDArray[np.bool_]  # also beside a line
    future: FloatArray  # growth per iteration of the column itself, over the horizon
    parameters: FloatArray  # number of fitted parameters, noise left out
    kinds: tuple[tuple[str, slice], ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The candidates of one kind, weighed.

    Attributes:
        deficit: How much worse than the best shape of all, in BIC with the handicaps; 0 for the best.
        growing: Probability that its future growth exceeds the tolerance.
        future: Its growth per iteration from the end of the record to ten times its length.
        error: Standard error of ``future``.
        degrees_of_freedom: Degrees of freedom of ``error``.
    """

    deficit: float
    growing: float
    future: float
    error: float
    degrees_of_freedom: float


@dataclass(frozen=True, slots=True)
class ShapeWeights:
    """All shapes with their weights.

    Attributes:
        best: Kind of the best shape.
        growing: Probability that growth goes on beyond the tolerance, over all shapes.
        shapes: The best candidate of every kind.
    """

    best: str
    growing: float
    shapes: dict[str, Shape]


class _Fit(NamedTuple):
    score: FloatArray
    future: FloatArray
    error: FloatArray
    degrees: FloatArray


def weigh_shapes(
    tail: FloatArray, start: int, tolerance: float, noise_floor: float, slope_error: float = 0.0
) -> ShapeWeights:
    """Fit and weigh all shapes on ``tail``, which begins ``start`` iterations into the record."""
    bank = _bank(start + tail.size, start)
    best = _fit(tail, bank, _PHI_GRID[0], noise_floor)
    for phi in _PHI_GRID[1:]:
        other = _fit(tail, bank, phi, noise_floor)
        better = other.score < best.score
        best = _Fit(*(np.where(better, new, old) for new, old in zip(other, best, strict=True)))
    # A shape that ends level has no slope that the cycle's tilt could be part of.
    error = np.where(bank.future == 0.0, best.error, np.hypot(best.error, slope_error))
    chance, _ = student_at(best.degrees, (best.future - tolerance) / error)
    found: dict[str, Shape] = {}
    for kind, where in bank.kinds:
        scores = best.score[where]
        top = int(np.argmin(scores))
        # exp(-BIC / 2) is about the likelihood integrated over the parameters (Schwarz 1978), so it serves as a
        # weight.
        weight = np.exp(-0.5 * (scores - scores[top]))
        growing = float(weight @ chance[where] / weight.sum())
        weight /= weight.sum()
        future = float(weight @ best.future[where])
        # Variance within the candidates and between them (law of total variance).
        spread = float(weight @ (error[where] ** 2 + (best.future[where] - future) ** 2))
        degrees = float(weight @ best.degrees[where])
        found[kind] = Shape(float(scores[top]) + _HANDICAP[kind], growing, future, sqrt(spread), degrees)
    for stairs in climb(tail, tolerance, noise_floor, _PHI_GRID):
        kind = "step" if stairs.count == 1 else "steps"
        deficit = stairs.score + _HANDICAP[kind]
        found[kind] = Shape(deficit, stairs.growing, stairs.future, stairs.error, float(stairs.count))
    lowest = min(shape.deficit for shape in found.values())
    total = growing_total = 0.0
    result: dict[str, Shape] = {}
    for kind, shape in found.items():
        result[kind] = replace(shape, deficit=shape.deficit - lowest)
        weight_of_kind = exp(-0.5 * result[kind].deficit)
        total += weight_of_kind
        growing_total += weight_of_kind * shape.growing
    return ShapeWeights(min(result, key=lambda k: result[k].deficit), growing_total / total, result)


class _Projected(NamedTuple):
    """A bank under one autocorrelation, freed from the constant and, where fitted beside it, the line."""

    constant: FloatArray
    line: FloatArray
    columns: FloatArray
    power: FloatArray  # squared length of each column
    slope: FloatArray  # what one unit along the line is as a slope per iteration, where fitted beside it
    ahead: (
        FloatArray  # growth per iteration that one unit of the column brings, its share of the line taken off
    )
    error: FloatArray  # standard error of the growth ahead for unit noise


def _projected(bank: _Bank, phi: float) -> _Projected:
    count = bank.columns.shape[0]
    constant = _filtered(np.ones((count, 1)), phi)[:, 0]
    constant /= sqrt(float(constant @ constant))
    line = _filtered((np.arange(count, dtype=np.float64) - (count - 1) / 2)[:, None], phi)[:, 0]
    line = line - constant * float(constant @ line)
    line_norm = sqrt(float(line @ line))
    line /= line_norm
    columns = _filtered(bank.columns, phi)
    columns = columns - np.outer(constant, constant @ columns)
    along = (line @ columns) * bank.beside_line
    columns = columns - np.outer(line, along)
    power = np.einsum("ij,ij->j", columns, columns)
    # A column that is all constant and line after filtering: infinite power gives it weight 0 and no error.
    power = np.where(power > _NEGLIGIBLE, power, np.inf)
    slope = bank.beside_line / line_norm
    ahead = bank.future - along / line_norm
    return _Projected(constant, line, columns, power, slope, ahead, np.sqrt(ahead**2 / power + slope**2))


def _filtered(columns: FloatArray, phi: float) -> FloatArray:
    """Return the columns as the autoregression ``phi`` makes their noise independent (Prais-Winsten)."""
    if phi == 0.0:
        return columns
    result = np.empty_like(columns)
    result[0] = columns[0] * sqrt(1 - phi * phi)
    result[1:] = columns[1:] - phi * columns[:-1]
    return result


def _fit(tail: FloatArray, bank: _Bank, phi: float, noise_floor: float) -> _Fit:
    """Fit every candidate at one autocorrelation."""
    count = tail.size
    under = _projected(bank, phi)
    target = _filtered((tail - tail.mean())[:, None], phi)[:, 0]
    target = target - under.constant * float(under.constant @ target)
    on_line = float(under.line @ target)
    cross = target @ under.columns
    weight = cross / under.power
    left = np.maximum(float(target @ target) - cross * weight - bank.beside_line * on_line**2, 0.0)
    floor = (noise_floor / 3.0) ** 2
    # The last term is the determinant of the filter: without it, scores of different phi could not be compared.
    score = count * np.log(np.maximum(left / count, max(floor, 1e-300))) - log(1 - phi * phi)
    future = weight * under.ahead + under.slope * on_line
    # So many independent readings have a mean as well known as these (large-sample value for a first-order
    # autoregression).
    effective = count * (1 - phi) / (1 + phi)
    degrees = np.maximum(effective - bank.parameters, _FEWEST_DEGREES)
    variance = np.maximum(left / np.maximum(count - bank.parameters, 1.0), floor)
    error = np.maximum(np.sqrt(variance) * under.error, 1e-12)
    return _Fit(score + bank.parameters * log(count), future, error, degrees)


def _bank(total: int, start: int) -> _Bank:
    t = np.arange(start + 1, total + 1, dtype=np.float64)
    far = float(HORIZON * total)
    span = far - total
    count = t.size
    parts: list[tuple[str, FloatArray, FloatArray, bool, float]] = []

    def add(kind: str, at: FloatArray, later: FloatArray, beside_line: bool, parameters: float) -> None:
        parts.append((kind, at, (later - at[-1]) / span, beside_line, parameters))

    column = t[:, None]
    change = start + np.unique(np.linspace(0.1 * count, 0.9 * count, _CHANGE_POINTS).astype(int)) + 0.5
    late = change[change <= start + 0.8 * count]
    add("flat", np.zeros((count, 1)), np.zeros(1), False, 1)
    add("line", column, np.array([far]), False, 2)
    shift = np.array([0.0, 2.0, 5.0, 12.0])
    # Counted from the start of the record, not of the tail: such growth slows down from its own beginning.
    add("log", np.log(column + shift), np.log(far + shift), False, 2.5)
    power = np.array([0.35, 0.5, 0.65])
    add("power", column**power, far**power, False, 2.5)
    # Time constants beyond the record look like a line and are left to it; much shorter ones look like a step.
    tau = np.geomspace(count / 20, count, 10)
    add("saturating", -np.exp(-(column - start) / tau), -np.exp(-(far - start) / tau), False, 3)
    add("stopped", np.minimum(column, change), change.copy(), False, 3)
    add("late", np.maximum(column - late, 0.0), far - late, False, 3)
    short = np.geomspace(0.7, max(total / 4, 1.0), 8)
    add("line after decay", -np.exp(-(column - start) / short), -np.exp(-(far - start) / short), True, 4)
    add("two lines", np.maximum(column - late, 0.0), far - late, True, 4)
    places = np.unique(np.linspace(2, count - 2, min(count - 3, _MOST_STEP_PLACES)).astype(int))
    every = start + places + 0.5
    add("line and step", (column > every).astype(np.float64), np.ones(every.size), True, 4)
    kinds: list[tuple[str, slice]] = []
    begin = 0
    for part in parts:
        end = begin + part[1].shape[1]
        kinds.append((part[0], slice(begin, end)))
        begin = end
    return _Bank(
        np.concatenate([p[1] for p in parts], axis=1),
        np.concatenate([np.full(p[1].shape[1], p[3]) for p in parts]),
        np.concatenate([p[2] for p in parts]),
        np.concatenate([np.full(p[1].shape[1], p[4]) for p in parts]),
        tuple(kinds),
    )

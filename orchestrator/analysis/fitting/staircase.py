"""Fit a staircase: constant levels and the steps between them.

A pool that takes another block, a cache that opens another file: memory goes up once and stays. A few
such steps look like a line; so does a leak that allocates a large block now and then. The fit says where
the steps are; ``recurrence`` says which of the two it is more likely to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import NamedTuple

import numpy as np

from orchestrator.analysis.fitting.recurrence import recurrence
from orchestrator.analysis.series import FloatArray

_MOST_STEPS = 20
_SURE_TO_TRY = 7
_HOPELESS = 20.0
"""In BIC: after seven steps the search ends when the last was this much worse than the best."""

_SHORTEST_LEVEL = 2


@dataclass(frozen=True, slots=True)
class Stairs:
    """A staircase fitted to a tail.

    Attributes:
        count: Number of steps, up or down.
        at: Index of the first reading of each new level, ascending.
        sizes: Size of each step, unit of the series, negative when down.
        score: -2 log likelihood plus the BIC penalty of two parameters a step.
        growing: Probability that such steps go on at a mean rate beyond the tolerance.
        future: The rate if they go on, per iteration.
        error: Its standard error if the steps come at random (compound Poisson).
    """

    count: int
    at: tuple[int, ...]
    sizes: tuple[float, ...]
    score: float
    growing: float
    future: float
    error: float


class _Fitted(NamedTuple):
    at: tuple[int, ...]
    sizes: tuple[float, ...]
    score: float
    squares: float  # what the levels leave


def climb(tail: FloatArray, tolerance: float, noise_floor: float, phis: tuple[float, ...]) -> list[Stairs]:
    """Return the staircase of one step and the best one of several, where there are such."""
    found = _staircases(tail, noise_floor, phis)
    chosen = found[:1]
    if len(found) > 1:
        chosen.append(min(found[1:], key=lambda fitted: fitted.score))
    return [_judged(fitted, tail.size, tolerance) for fitted in chosen]


def _judged(fitted: _Fitted, count: int, tolerance: float) -> Stairs:
    number = len(fitted.at)
    # A level of count / (number + 1) readings; a step is the difference of two, and greedily placed.
    size_error = 2.0 * sqrt(fitted.squares * (number + 1)) / count
    growing, rate = recurrence(fitted.at, fitted.sizes, count, tolerance, size_error)
    error = sqrt(sum(s * s for s in fitted.sizes)) / count
    return Stairs(number, fitted.at, fitted.sizes, fitted.score, growing, rate, error)


def _staircases(tail: FloatArray, noise_floor: float, phis: tuple[float, ...]) -> list[_Fitted]:
    """Fit staircases of one step, two steps and so on, each adding the step that explains most."""
    count = tail.size
    values = tail - tail.mean()
    # With running sums the gain of every possible split is three differences: no search over readings.
    totals = np.concatenate(([0.0], np.cumsum(values)))
    edges = [0, count]
    gains: list[tuple[float, int]] = [_best_split(totals, 0, count)]
    found: list[_Fitted] = []
    for number in range(1, min(_MOST_STEPS, count // 4) + 1):
        which = max(range(len(gains)), key=lambda i: gains[i][0])
        gain, where = gains[which]
        if gain <= 0 or _is_hopeless(found):
            break
        left, right = edges[which], edges[which + 1]
        # Greedy: earlier steps stay where they are. The best places of k steps together would cost k times as much
        # again, and size_error in _judged allows for the difference.
        edges.insert(which + 1, where)
        gains[which : which + 1] = [_best_split(totals, left, where), _best_split(totals, where, right)]
        bounds = np.array(edges)
        levels = np.diff(totals[bounds]) / np.diff(bounds)
        residual = values - np.repeat(levels, np.diff(bounds))
        # Two parameters a step, its place and its size, and the first level.
        score = _likelihood(residual, noise_floor, phis) + (1 + 2 * number) * log(count)
        sizes = tuple(float(s) for s in np.diff(levels))
        found.append(_Fitted(tuple(edges[1:-1]), sizes, score, float(residual @ residual)))
    return found


def _is_hopeless(found: list[_Fitted]) -> bool:
    """Whether more steps cannot improve the fit enough to be searched for."""
    return len(found) >= _SURE_TO_TRY and found[-1].score > min(f.score for f in found) + _HOPELESS


def _best_split(totals: FloatArray, left: int, right: int) -> tuple[float, int]:
    """Return the greatest drop in squares that one step between ``left`` and ``right`` brings, and where."""
    if right - left < 2 * _SHORTEST_LEVEL:
        return 0.0, left
    cut = np.arange(left + _SHORTEST_LEVEL, right - _SHORTEST_LEVEL + 1)
    before = totals[cut] - totals[left]
    whole = totals[right] - totals[left]
    gain = before**2 / (cut - left) + (whole - before) ** 2 / (right - cut) - whole**2 / (right - left)
    best = int(np.argmax(gain))
    return float(gain[best]), int(cut[best])


def _likelihood(residual: FloatArray, noise_floor: float, phis: tuple[float, ...]) -> float:
    """Return -2 log likelihood of a residual under the best of some autocorrelations."""
    count = residual.size
    first = float(residual[0] ** 2)
    now, then = residual[1:], residual[:-1]
    aa, ab, bb = float(now @ now), float(now @ then), float(then @ then)
    floor = max((noise_floor / 3.0) ** 2, 1e-300)
    return min(
        count * log(max((first * (1 - p * p) + aa - 2 * p * ab + p * p * bb) / count, floor)) - log(1 - p * p)
        for p in phis
    )

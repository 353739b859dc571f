"""Fit a staircase: constant levels and the steps between them.

A pool that takes another block, a cache that opens another file: memory goes up once and stays. A few
such steps look like a line; so does a leak that allocates a large block now and then. The fit says where
the steps are; how many, how regular and how long ago says which of the two it is more likely to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from scipy.special import gammaincc

from orchestrator.analysis.series import FloatArray

_MOST_STEPS = 7
_SHORTEST_LEVEL = 2

_RECURRENCE = (0.0, 0.15, 0.25, 0.35, 0.7, 0.88, 0.94)
"""Chance that steps go on coming, by how many were seen, before their timing is looked at."""


_ALIKE_SPREAD = 0.3
_ALIKE = 3.0
_UNLIKE = 0.6
_EVEN = 2.0
_FEWEST_EVEN = 3


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


def climb(tail: FloatArray, tolerance: float, noise_floor: float, phis: tuple[float, ...]) -> list[Stairs]:
    """Return staircases of one step, two steps and so on, each adding the step that explains most."""
    count = tail.size
    most = min(_MOST_STEPS, count // 4)
    values = tail - tail.mean()
    totals = np.concatenate(([0.0], np.cumsum(values)))
    edges = [0, count]
    gains: list[tuple[float, int]] = [_best_split(totals, 0, count)]
    result: list[Stairs] = []
    for number in range(1, most + 1):
        which = max(range(len(gains)), key=lambda i: gains[i][0])
        gain, where = gains[which]
        if gain <= 0:
            break
        left, right = edges[which], edges[which + 1]
        edges.insert(which + 1, where)
        gains[which : which + 1] = [_best_split(totals, left, where), _best_split(totals, where, right)]
        bounds = np.array(edges)
        levels = np.diff(totals[bounds]) / np.diff(bounds)
        residual = values - np.repeat(levels, np.diff(bounds))
        score = _likelihood(residual, noise_floor, phis) + (1 + 2 * number) * log(count)
        at, sizes = tuple(edges[1:-1]), tuple(float(s) for s in np.diff(levels))
        growing, rate = recurrence(at, sizes, count, tolerance)
        error = sqrt(sum(s * s for s in sizes)) / count
        result.append(Stairs(number, at, sizes, score, growing, rate, error))
    return result


def recurrence(
    at: tuple[int, ...], sizes: tuple[float, ...], count: int, tolerance: float
) -> tuple[float, float]:
    """Return the probability that the upward steps go on coming too fast, and their rate so far.

    A priori one step is probably the last and six are probably not. Two things then move the odds. The quiet
    at the end: events that came at random throughout leave the last g of n readings quiet with
    probability (1 - g/n)^K. And likeness: blocks of a pool grow or differ, a leak loses the same block
    again, so steps of one size (and, from three on, at even distances) speak for going on. The rate
    of K random events is itself uncertain: the gamma posterior of their number says how likely it is
    beyond the tolerance.
    """
    rate = sum(sizes) / count
    ups = [(a, s) for a, s in zip(at, sizes, strict=True) if s > 0]
    if rate <= 0:
        return 0.0, rate
    events = len(ups)
    too_fast = float(gammaincc(events + 0.5, (events + 0.5) * tolerance / rate))
    before = _RECURRENCE[min(events, len(_RECURRENCE) - 1)]
    quiet = count - ups[-1][0]
    odds = before / (1 - before) * (1 + events) * (1.0 - quiet / count) ** events
    if events > 1:
        odds *= _likeness(np.array([a for a, _ in ups], dtype=np.float64), np.array([s for _, s in ups]))
    return too_fast * odds / (1 + odds), rate


def _likeness(at: FloatArray, sizes: FloatArray) -> float:
    """Return the factor on the odds of going on that the likeness of two or more steps brings."""
    factor = _ALIKE if float(sizes.std() / sizes.mean()) < _ALIKE_SPREAD else _UNLIKE
    if at.size >= _FEWEST_EVEN:
        gaps = np.diff(at)
        factor *= _EVEN if float(gaps.std() / gaps.mean()) < _ALIKE_SPREAD else 1.0
    return factor


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

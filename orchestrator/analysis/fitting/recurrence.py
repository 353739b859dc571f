"""Estimate whether upward steps will continue: those of a pool end when it is full, those of a leak do not.

The estimate begins with odds for the number of steps seen: one step is probably the last, six are probably not. Three
observations then change the odds:

- The time since the last step. K random events in n readings leave the last g of them without one with
  probability (1 - g/n)^K.
- Sizes that are alike. A leak loses the same block again, now and then two or three at once, or blocks of one
  order of magnitude; what fills while a program warms up (a model's arena, a cache, a file) is of any magnitude.
  But some pools do grow by equal blocks, so that likeness never settles it alone.
- Even distances. A block that is lost every so many iterations comes regularly, and is not overdue.

Steps that carry a tenth of the growth together are left out of it: crumbs of noise, or the end of a warm-up.
"""

from __future__ import annotations

from math import factorial, log, pi

import numpy as np

from orchestrator.analysis.fitting.distributions import gamma_above
from orchestrator.analysis.series import FloatArray

_BEFORE = (0.0, 0.15, 0.25, 0.35, 0.7, 0.88, 0.94)
"""Chance that steps go on coming, by how many were seen, before their sizes and timing are looked at."""

_CRUMBS = 0.1  # share of the growth
_AT_ONCE = (0.8, 0.17, 0.03)
"""How often a leak loses one, two or three blocks in one iteration."""

_LEAKS = (0.6, 0.4, 0.0)
_POOLS = (0.15, 0.2, 0.65)
"""How often the sizes are multiples of one, alike, or of any magnitude."""

_ALIKE, _ANY = 0.5, 1.4
"""Spread of the logarithm of sizes that are alike, and of those that are not."""

_FINEST, _COARSEST = 0.06, 0.4
"""Bounds of the relative error of a size; allocators round, and steps share readings."""

_EVEN_IN_LEAKS, _EVEN_IN_POOLS = 0.4, 0.04
_FEWEST_EVEN = 3
_SLACK = 1.5  # iterations: an event falls somewhere between two readings
_SLACK_SHARE = 0.1


def recurrence(
    at: tuple[int, ...], sizes: tuple[float, ...], count: int, tolerance: float, size_error: float
) -> tuple[float, float]:
    """Return the probability that upward steps continue above the tolerance, and their rate per iteration so far.

    The rate of K random events is itself uncertain: the gamma posterior of their number says how likely it
    is beyond the tolerance. Even events are known much better.

    Args:
        at: Index of the first reading of each new level, ascending.
        sizes: Size of each step, negative when down.
        count: Number of readings.
        tolerance: Growth per iteration that is still accepted, > 0, unit of the sizes.
        size_error: Standard error of a size, same unit.
    """
    rate = sum(sizes) / count
    if rate <= 0:
        return 0.0, rate
    places, heights = _main_steps(at, sizes)
    events = places.size
    even = _evenness(places, count)
    # The shape of a gamma distribution is what is known, in events: K random ones and Jeffreys' half. Even ones are K
    # give or take one, a relative error of 1 / (sqrt(3) K), and a gamma distribution of shape 3 K^2 has that.
    known = 3.0 * events**2 if even > 1 else events + 0.5
    too_fast = gamma_above(known, known * tolerance / rate)
    before = _BEFORE[min(events, len(_BEFORE) - 1)]
    quiet = count - float(places[-1])
    # (1 - g/n)^K is the chance of a quiet end if events go on; 1 / (1 + K) is its mean over all g, which is what it
    # would be if they stopped anywhere. So a quiet end counts against, and an end in the middle of events counts for
    # it.
    odds = before / (1 - before) * (1 + events) * (1.0 - quiet / count) ** events
    odds *= even * _likeness(heights, size_error)
    return too_fast * odds / (1 + odds), rate


def _main_steps(at: tuple[int, ...], sizes: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    """Return the indices and sizes of the upward steps, without the smallest ones (see the module's last paragraph)."""
    height = np.array(sizes)
    up = height > 0
    place, height = np.array(at, dtype=np.float64)[up], height[up]
    order = np.argsort(height)
    # Smallest first, as many as stay below the share: one large crumb is none.
    crumbs = order[np.cumsum(height[order]) <= _CRUMBS * height.sum()]
    return np.delete(place, crumbs), np.delete(height, crumbs)


def _likeness(sizes: FloatArray, size_error: float) -> float:
    """Return the factor by which the sizes of the steps change the odds that they continue."""
    if sizes.size < 2:
        return 1.0
    logs = np.log(sizes)
    # Bounded below, because equal sizes to the page would make any other explanation impossible, whatever the rest
    # says.
    error = min(max(_FINEST, size_error / float(np.median(sizes))), _COARSEST)
    same = -np.inf
    # Any step may be the one of a single block, or of two or three: each such unit is tried, the best counts.
    units: FloatArray = np.unique(np.outer(sizes, 1.0 / np.arange(1, len(_AT_ONCE) + 1)))
    for unit in units.tolist():
        blocks: FloatArray = np.minimum(np.maximum(np.round(sizes / float(unit)), 1.0), float(len(_AT_ONCE)))
        how_often = np.log(np.array(_AT_ONCE))[blocks.astype(int) - 1].sum()
        same = max(same, _log_density(logs - np.log(blocks), error) + float(how_often))
    logs_of = np.array([same, _log_density(logs, _ALIKE), _log_density(logs, _ANY)])
    densities = np.exp(logs_of - logs_of.max())  # the largest becomes 1: no underflow, and only ratios count
    return float(densities @ np.array(_LEAKS)) / float(densities @ np.array(_POOLS))


def _log_density(values: FloatArray, spread: float) -> float:
    """Return the log density of normal values with this standard deviation and an unknown mean."""
    number = values.size
    rest = values - values.mean()
    # The middle is integrated out under a flat prior: one degree of freedom less, and the factor sqrt(number).
    free = (number - 1) * log(spread * (2 * pi) ** 0.5) + 0.5 * log(number)
    return -free - 0.5 * float(rest @ rest) / spread**2


def _evenness(at: FloatArray, count: int) -> float:
    """Return the factor by which the distances between the steps change the odds that they continue.

    Compared is how often distances at random would come out as even as these.
    """
    if at.size < _FEWEST_EVEN:
        return 1.0
    gaps = at.size - 1
    period = float(at[-1] - at[0]) / gaps
    slack = max(_SLACK, _SLACK_SHARE * period)
    overdue = count - at[-1] > period + _SLACK
    # One that should have come by now is as much against a period as an uneven distance.
    if overdue or float(np.abs(np.diff(at) - period).max()) > slack:
        return (1 - _EVEN_IN_LEAKS) / (1 - _EVEN_IN_POOLS)
    # The chance that places at random come out so even: the part of the simplex of all gaps of this sum in which each
    # of them is within the slack of their mean.
    chance = min(factorial(gaps) / 2.0 * (2 * slack / (gaps * period)) ** (gaps - 1), 1.0)
    in_leaks = _EVEN_IN_LEAKS / chance + 1 - _EVEN_IN_LEAKS
    return in_leaks / (_EVEN_IN_POOLS / chance + 1 - _EVEN_IN_POOLS)

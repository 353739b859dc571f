"""The live blocks of one site at each boundary, and what their growth is.

::

    boundary   0    1    2    3    4    5    6
    leak       0   54  108  162  216  270  324     grows with every block of iterations
    once       0  512  512  512  512  512  512     a buffer, a cache that stands: no leak
    slowing    0   50   80   95  100  102  103     something fills: more iterations would tell
    irregular  0    0   54   54  108  108  162     grows, but not with every block

The growth of each block is one observation of the growth per iteration; the interval is Student's for their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Literal

import msgspec

from orchestrator.analysis.fitting.distributions import student_quantile

FEWEST_BLOCKS = 4
"""With fewer blocks of iterations nothing is called a leak: three steps up are too easily chance."""
CONFIDENCE = 0.95
SLOWING = 0.6
"""Growth whose second half is less than this share of its first is something that fills."""

SiteKind = Literal["leak", "slowing", "irregular", "once", "worker", "pool", "none"]
"""``worker``: it grows, and is our worker's own; ``pool``: it grows, and is a pool of the interpreter's."""


class Rate(msgspec.Struct, frozen=True):
    """Growth per iteration with its interval of 95 %."""

    per_iteration: float
    low: float
    high: float

    def scaled(self, factor: float) -> Rate:
        """Return the same in another unit."""
        return Rate(self.per_iteration * factor, self.low * factor, self.high * factor)


def growth(levels: Sequence[float], iterations: Sequence[int]) -> Rate:
    """Return the growth per iteration of levels at boundaries, ``iterations[i]`` lying between two of them.

    Raises:
        ValueError: There are no two levels, or the lengths do not fit.
    """
    if len(levels) < 2 or len(levels) != len(iterations) + 1:
        raise ValueError(f"{len(levels)} levels and {len(iterations)} blocks of iterations")
    steps = [(after - before) / many for before, after, many in _steps(levels, iterations)]
    mean = (levels[-1] - levels[0]) / sum(iterations)
    if len(steps) < 2:
        return Rate(mean, mean, mean)
    spread = sqrt(sum((step - mean) ** 2 for step in steps) / (len(steps) - 1) / len(steps))
    reach = student_quantile(len(steps) - 1, 0.5 + CONFIDENCE / 2) * spread
    return Rate(mean, mean - reach, mean + reach)


def kind_of(levels: Sequence[float], iterations: Sequence[int]) -> SiteKind:
    """Return what the live bytes of a site do from boundary to boundary."""
    steps = [(after - before) / many for before, after, many in _steps(levels, iterations)]
    half = len(steps) // 2
    if levels[-1] <= levels[0] and max(levels) <= levels[0]:
        return "none"
    if all(step > 0 for step in steps):
        if sum(steps[-half:]) < SLOWING * sum(steps[:half]):
            return "slowing"
        found = growth(levels, iterations)
        return "leak" if len(steps) >= FEWEST_BLOCKS and found.low > 0 else "irregular"
    if levels[-1] > max(levels[: half + 1]):
        return "irregular"
    return "once"


def _steps(levels: Sequence[float], iterations: Sequence[int]) -> list[tuple[float, float, int]]:
    return list(zip(levels, levels[1:], iterations, strict=False))

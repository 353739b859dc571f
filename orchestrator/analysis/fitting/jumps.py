"""Find growth that comes in jumps, such as an arena, a block of a pool or a cached file at a time.

Between the jumps nothing happens, so that noise about a line says nothing about the rate. What counts
is how many jumps there were and how alike they are. Whether they go on is left to ``staircase``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.fitting.distributions import gamma_quantile
from orchestrator.analysis.fitting.spikes import MAD_TO_SD
from orchestrator.analysis.series import FloatArray

_JUMP_SCALES = 8.0
_MERGE_WITHIN = 2
_REGULAR = 0.35
_FEWEST_REGULAR = 3


@dataclass(frozen=True, slots=True)
class Jumps:
    """The jumps of a tail, those at most two iterations apart counted as one event.

    Attributes:
        at: Index in the tail of the first reading after each upward event.
        sizes: Size of each upward event, unit of the series.
        share: Sum of the upward jumps divided by the whole growth (0 without growth).
        count: Number of readings of the tail.
    """

    at: tuple[int, ...]
    sizes: tuple[float, ...]
    share: float
    count: int

    @property
    def effective(self) -> float:
        """Number of equal events that would say as much: (sum s)^2 / sum s^2."""
        total = sum(self.sizes)
        return total * total / sum(s * s for s in self.sizes) if self.sizes else 0.0

    def regularity(self) -> tuple[float, float]:
        """Return the coefficients of variation of the gaps and of the sizes (infinite below 3 events)."""
        if len(self.at) < _FEWEST_REGULAR:
            return float("inf"), float("inf")
        gaps = np.diff(np.array(self.at, dtype=np.float64))
        sizes = np.array(self.sizes)
        return float(gaps.std() / gaps.mean()), float(sizes.std() / sizes.mean())

    def factors(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return two factors; the rate of these jumps times each of them gives the ends of its interval.

        Even jumps of one size are known to one jump more or less. Otherwise they come at random:
        exact Poisson limits of their number (Garwood 1936), the number being the effective one, so
        that a few large jumps among small ones widen it.
        """
        gaps, sizes = self.regularity()
        number = self.effective
        if max(gaps, sizes) < _REGULAR:
            return max(1 - 1 / number, 0.0), 1 + 1 / number
        return random_events(number, confidence)


def random_events(number: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return two factors; the rate of ``number`` random events times each is an end of its interval (Garwood 1936)."""
    outside = (1 - confidence) / 2
    low = gamma_quantile(number, outside) / number
    return low, gamma_quantile(number + 1, 1 - outside) / number


def find_jumps(tail: FloatArray, noise_floor: float, smallest: float) -> Jumps:
    """Return the jumps of ``tail``: changes far out of the spread of the others and above ``smallest``."""
    step = np.diff(tail)
    if not step.size:
        return Jumps((), (), 0.0, tail.size)
    median = float(np.median(step))
    spread = MAD_TO_SD * float(np.median(np.abs(step - median)))
    limit = max(_JUMP_SCALES * max(spread, 3 * noise_floor), smallest)
    far = np.abs(step - median) > limit
    up = np.flatnonzero(far & (step > 0))
    sizes = step[up]
    growth = float(tail[-1] - tail[0])
    share = float(sizes.sum()) / growth if growth > 0 and up.size else 0.0
    at: list[int] = []
    merged: list[float] = []
    for index, size in zip(up, sizes, strict=True):
        if at and index + 1 - at[-1] <= _MERGE_WITHIN:
            merged[-1] += float(size)
        else:
            at.append(int(index) + 1)
            merged.append(float(size))
    return Jumps(tuple(at), tuple(merged), share, tail.size)

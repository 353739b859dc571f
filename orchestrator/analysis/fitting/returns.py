"""Find evidence that growth is no leak: memory was given back, or the growth slows down.

Both are asked only of a series that looks like a leak. Memory that was freed once, by however much it grows again, was
not lost; a cache that fills grows fast at first and ever more slowly, long before it stands still.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np

from orchestrator.analysis.fitting.drift import Drift, drift
from orchestrator.analysis.series import FloatArray

_GIVEN_BACK_SHARE = 0.5
_WINDOW = 5
_START_SHARE = 0.1
_START_LEAST = 3
_FEWEST_HALF = 4
_FEWEST_END = 5
_FEWEST_BEFORE = 2
_SLOWER, _MUCH_SLOWER = 1.5, 2.0
_CERTAINLY, _SURELY, _PROBABLY, _BARELY = 3.0, 2.0, 1.5, 0.5
_TAIL_SLOWER = 1.15
_STEADY = 0.15


class GivenBack(NamedTuple):
    """The largest fall of a series.

    Attributes:
        fall: From a highest level before to a lowest level after it, unit of the series.
        span: From the lowest to the highest level of all.
        at: Index of the reading where it is lowest after the fall.
    """

    fall: float
    span: float
    at: int


class Slowing(NamedTuple):
    """Growth that becomes slower.

    Attributes:
        before: Growth per reading in the earlier part.
        after: Growth per reading in the later part.
        apart: Readings between the middles of the two parts.
        error: Standard error of the difference.
    """

    before: float
    after: float
    apart: float
    error: float

    @property
    def steady(self) -> bool:
        """Whether both parts are known to grow equally fast."""
        return self.error < _STEADY * abs(self.after) and abs(self.before - self.after) < 2 * self.error

    def slower_than(self, times: float) -> bool:
        """Whether it grew so many times as fast before."""
        return self.before > 0 and self.before > times * self.after

    def readings_until(self, rate: float) -> float:
        """Return after how many more readings the growth is down to ``rate``, should it fall off as it did so far."""
        if not 0 < rate < self.after:
            return 0.0
        pace = log(self.before / self.after) / self.apart
        return log(self.after / rate) / pace


def start_of(count: int, warm_up: int) -> int:
    """Return how many readings at the start are left out in any case.

    A tenth, at least three, but never all of the warm-up.
    """
    return min(max(warm_up - _FEWEST_BEFORE, 0), max(_START_LEAST, round(_START_SHARE * count)))


def given_back(values: FloatArray) -> GivenBack | None:
    """Return the largest fall of ``values`` when it is more than half of their span, else None.

    The levels are medians of five readings, so that one low reading is no fall.
    """
    if values.size < _WINDOW:
        return None
    side = _WINDOW // 2
    padded = np.pad(values, side, mode="edge")
    level = np.median(np.lib.stride_tricks.sliding_window_view(padded, _WINDOW), axis=1)
    below = np.maximum.accumulate(level) - level
    at = int(np.argmax(below))
    fall, span = float(below[at]), float(np.ptp(level))
    return GivenBack(fall, span, at) if fall > _GIVEN_BACK_SHARE * span else None


def slowing(
    values: FloatArray, tail: FloatArray, noise_floor: float, *, cut_at_limit: bool
) -> Slowing | None:
    """Tell whether growth that looks like a leak slows down, and how much.

    Compared are parts of the record, by the slope of the local level with drift, which is not deceived by a leak of
    random sizes: the halves of the tail; its last quarter and the half before it, for growth along an S, where the
    evidence must be stronger, since so short an end may be quiet by chance; and, since the cut after the warm-up hides
    the faster part of a cache that fills, what lies before the cut. The latter needs strong evidence too, and a tail
    that slows down as well: the warm-up of a leak may be long.

    Args:
        values: All readings but those of the very start, see ``start_of``.
        tail: Those after the warm-up, a cycle taken out.
        noise_floor: The smallest difference a reading can show, same unit.
        cut_at_limit: The warm-up was cut at the latest place allowed.
    """
    size, quarter = tail.size, tail.size // 4
    in_tail, clearness = _compared(tail[: size // 2], tail[size // 2 :], noise_floor)
    if in_tail.slower_than(_SLOWER) and clearness > _PROBABLY:
        return in_tail
    if quarter >= _FEWEST_END:
        at_end, how_clear = _compared(tail[-3 * quarter : -quarter], tail[-quarter:], noise_floor)
        if at_end.slower_than(_MUCH_SLOWER) and how_clear > _CERTAINLY:
            return at_end
    before = values[: values.size - size]
    if cut_at_limit and before.size >= _FEWEST_BEFORE and not in_tail.steady:
        across, _ = _compared(before, tail, noise_floor)
        if across.slower_than(_SLOWER):
            return across
    if not before.size or clearness < _BARELY or not in_tail.slower_than(_TAIL_SLOWER):
        return None
    half = values.size // 2
    whole, how_clear = _compared(values[:half], values[half:], noise_floor)
    return whole if whole.slower_than(_SLOWER) and how_clear > _SURELY else None


def _compared(first: FloatArray, second: FloatArray, noise_floor: float) -> tuple[Slowing, float]:
    """Return the growth of two parts, and by how many standard errors that of the first is the larger."""
    before, after = _growth(first, noise_floor), _growth(second, noise_floor)
    error = max(float(np.hypot(before.error, after.error)), 1e-300)
    found = Slowing(before.rate, after.rate, (first.size + second.size) / 2.0, error)
    return found, (before.rate - after.rate) / error


def _growth(values: FloatArray, noise_floor: float) -> Drift:
    """Return the drift; of fewer readings than that needs the mean growth, of unknown error."""
    if values.size >= _FEWEST_HALF:
        return drift(values, noise_floor)
    rate = float(values[-1] - values[0]) / max(values.size - 1, 1)
    return Drift(rate, -np.inf, np.inf)

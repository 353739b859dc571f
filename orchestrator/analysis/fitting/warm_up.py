"""Find how many iterations at the start belong to the warm-up and not to the trend.

The cut is where the slope of what remains is known best: every further iteration cut away costs
precision, every warm-up iteration kept costs more. (The usual rule of simulation studies minimises the
error of the *mean*, White's MSER, and cuts a leak away with the warm-up; the error of the slope
does not.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.series import FloatArray

SHORTEST_TAIL = 8
"""So many readings are always left after the cut."""

_NEAR_BEST = 1.1
_HEAD = 3


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The iterations before the trend.

    Attributes:
        length: How many iterations are cut away, 0 or more.
        at_limit: The best cut was the latest allowed one, so the warm-up may not be over.
    """

    length: int
    at_limit: bool


def find_warm_up(values: FloatArray, noise_floor: float) -> WarmUp:
    """Return the warm-up of a series that has at least eight readings.

    At most half of the series is cut. First the earliest cut whose slope error is within a tenth of the
    smallest one; then, because the rest of a large decay is enough to look like a slowing leak, single
    iterations while the first three lie off the line through the others.
    """
    count = values.size
    limit = max(0, min(count // 2, count - SHORTEST_TAIL))
    errors = _slope_errors(values, limit, (noise_floor / 3.0) ** 2)
    best = int(np.flatnonzero(errors <= _NEAR_BEST * errors.min())[0])
    while 0 < best < limit and _head_is_off(values[best:], noise_floor):
        best += 1
    return WarmUp(best, limit > 0 and best >= limit - 1)


def _slope_errors(values: FloatArray, limit: int, variance_floor: float) -> FloatArray:
    """Return the standard error of the ordinary slope of ``values[w:]`` for w = 0 to ``limit``."""
    position = np.arange(values.size, dtype=np.float64)
    position -= position.mean()
    # Centred on the readings that every tail holds: sums of squares of 400 MB minus those of 400 MB would lose the
    # kilobytes between.
    centred = values - values[-SHORTEST_TAIL:].mean()
    columns = np.stack(
        (np.ones_like(position), position, centred, position**2, position * centred, centred**2)
    )
    # Sums from the end, so that those of every tail are there at once: a regression for each cut would be quadratic.
    sums = np.cumsum(columns[:, ::-1], axis=1)[:, ::-1][:, : limit + 1]
    size, t, y, tt, ty, yy = sums
    spread = tt - t * t / size
    cross = ty - t * y / size
    remaining = np.maximum(yy - y * y / size - cross * cross / spread, 0.0) / (size - 2)
    return np.asarray(np.sqrt(np.maximum(remaining, variance_floor) / spread), dtype=np.float64)


def _head_is_off(tail: FloatArray, noise_floor: float) -> bool:
    """Tell whether the first three readings lie off the line through the rest."""
    rest = tail[_HEAD:]
    count = rest.size
    position = np.arange(count) - (count - 1) / 2
    level = float(rest.mean())
    slope = float(position @ rest) / float(position @ position)
    residual = rest - level - slope * position
    noise = max(float(np.sqrt(residual @ residual / max(count - 2, 1))), noise_floor / 3.0)
    ahead = np.arange(-_HEAD, 0) - (count - 1) / 2
    departure = abs(float((tail[:_HEAD] - level - slope * ahead).mean()))
    return departure > 2.0 * noise * float(np.sqrt(1 / _HEAD + 4 / count))

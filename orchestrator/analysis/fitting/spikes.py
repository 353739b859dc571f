"""Remove single outlying readings from a series; steps and slopes stay as they are.

A reading taken while a temporary buffer was alive says nothing about growth. A spike is told from
a step by coming back: the running median follows a step and ignores a spike.
"""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.series import FloatArray

MAD_TO_SD = 1.4826
"""Median absolute deviation times this is the standard deviation of normal noise."""

_WINDOW = 7
_SPIKE_SCALES = 4.5
_LARGEST_SHARE = 0.25


def remove_spikes(values: FloatArray, noise_floor: float = 0.0) -> FloatArray:
    """Return a copy in which outliers that come back are replaced by the running median.

    The running median takes seven readings, after the median step has been taken off as a slope. A
    reading is a spike when it is 4.5 noise scales from it; at most three in a row can be. Readings that
    are off up to the end of the record stay when there are two or more of them, since a step at the
    end looks the same; a single last one goes, because a jump in the very last sample is never
    evidence. Readings that are off from the beginning on stay: that is a warm-up. When more than a
    quarter is off, it is not spikes but the way this series moves, and nothing is replaced.
    """
    count = values.size
    if count <= _WINDOW:
        return values.copy()
    position = np.arange(count, dtype=np.float64)
    slope = float(
        np.median(np.diff(values))
    )  # of what happens between steps: a line through them would tear edges
    level = values - slope * position
    windows = np.lib.stride_tricks.sliding_window_view(level, _WINDOW)
    inner = np.median(windows, axis=1)
    side = _WINDOW // 2
    middle = np.concatenate((np.full(side, inner[0]), inner, np.full(side, inner[-1])))
    distance = level - middle
    scale = max(MAD_TO_SD * float(np.median(np.abs(distance))), noise_floor)
    spike = np.abs(distance) > _SPIKE_SCALES * scale
    if spike.sum() > _LARGEST_SHARE * count:
        return values.copy()
    _spare_ends(spike)
    return np.where(spike, middle + slope * position, values)


def _spare_ends(spike: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> None:
    """Unmark a run of spikes that begins at the first reading, and one of two or more that ends at the last."""
    quiet = np.flatnonzero(~spike)
    first, last = int(quiet[0]), int(quiet[-1])
    spike[:first] = False
    if spike.size - 1 - last > 1:
        spike[last + 1 :] = False

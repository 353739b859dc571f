"""Take single outlying readings out of a series, leaving steps and slopes alone.

A reading taken while a temporary buffer was alive says nothing about growth. A spike is told from
a step by its neighbours: they agree with each other and disagree with it.
"""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.series import FloatArray

MAD_TO_SD = 1.4826
"""Median absolute deviation times this is the standard deviation of normal noise."""

_SPIKE_SCALES = 8.0
_NEIGHBOUR_SHARE = 3.0
_SHORTEST = 5


def difference_scale(values: FloatArray, noise_floor: float = 0.0) -> float:
    """Return the noise of one reading, from the median spread of the differences.

    Unlike the standard deviation it is not moved by a slope, a few steps or a few spikes. The unit
    is that of ``values``; never below ``noise_floor``.
    """
    step = np.diff(values)
    spread = float(np.median(np.abs(step - np.median(step)))) if step.size else 0.0
    return max(MAD_TO_SD * spread / np.sqrt(2.0), noise_floor)


def remove_spikes(values: FloatArray, noise_floor: float = 0.0) -> FloatArray:
    """Return a copy in which lone outliers are replaced by the median of their neighbours.

    A reading is replaced when it is more than eight noise scales from the median of the two readings
    on either side and those four lie within a third of that distance. The last reading is compared
    with the three before it: a jump in the very last sample is never evidence. The first reading
    stays, since what precedes a warm-up is not known.
    """
    count = values.size
    cleaned = values.copy()
    if count < _SHORTEST:
        return cleaned
    limit = _SPIKE_SCALES * difference_scale(values, noise_floor)
    around = np.empty((count, 4))
    around[2:-2] = np.stack((values[:-4], values[1:-3], values[3:-1], values[4:]), axis=1)
    around[1] = (values[0], values[2], values[3], values[3])
    around[-2] = (values[-4], values[-3], values[-3], values[-1])
    around[-1] = (values[-4], values[-3], values[-2], values[-3])
    around[0] = values[0]
    around.sort(axis=1)
    middle = 0.5 * (around[:, 1] + around[:, 2])
    distance = np.abs(values - middle)
    width = around[:, 3] - around[:, 0]
    spike = (distance > limit) & (width < distance / _NEIGHBOUR_SHARE)
    spike[0] = False
    cleaned[spike] = middle[spike]
    return cleaned

"""Bring readings that were not taken at even distances onto an even grid, so that a slope is one of the column.

Iterations 10, 20, 30 are even with a step of ten. A recording with holes (2, 3, 4, 7, …) keeps its step, and the
holes are filled by straight lines. One that was read each minute and later each half hour is put into cells wide
enough that most of them hold a reading; what falls into one cell is averaged.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.judging.memory_series import MemorySeries
from orchestrator.analysis.series import FloatArray

_JITTER = 0.2
"""Steps that differ by less than this share are even: the clock of a recorder is never exact."""

_FILLED = 0.8
"""Share of the cells that must hold a reading: what is between is drawn by a ruler and shows no noise."""

_WIDER = 1.1
_FEWEST_CELLS = 10


def evenly_spaced(series: MemorySeries, positions: FloatArray) -> tuple[MemorySeries, float]:
    """Return the series on an even grid, and the step of the grid in the unit of ``positions``.

    Args:
        series: The readings. Its own positions and times are left out of the answer.
        positions: Where each reading belongs, strictly increasing: iteration numbers, or hours.
    """
    bare = replace(series, positions=None, elapsed_s=None)
    if positions.size < 2:
        return bare, 1.0
    steps = np.diff(positions)
    mean = float(steps.mean())
    if float(np.abs(steps - mean).max()) <= _JITTER * mean:
        return bare, mean
    step = _grid_step(positions, float(np.median(steps)))
    cells = np.rint((positions - positions[0]) / step).astype(np.int64)
    return _averaged(bare, positions, cells, step), step


def _grid_step(positions: FloatArray, step: float) -> float:
    """Return the smallest step from ``step`` on whose cells are filled well enough."""
    span = float(positions[-1] - positions[0])
    while span / step > _FEWEST_CELLS:
        cells = np.unique(np.rint((positions - positions[0]) / step)).size
        if cells >= _FILLED * (np.rint(span / step) + 1):
            break
        step *= _WIDER
    return step


def _averaged(
    series: MemorySeries, positions: FloatArray, cells: npt.NDArray[np.int64], step: float
) -> MemorySeries:
    taken, starts, counts = np.unique(cells, return_index=True, return_counts=True)
    grid = positions[0] + step * np.arange(int(taken[-1]) + 1)
    where = np.add.reduceat(positions, starts) / counts

    def put(values: FloatArray | None) -> FloatArray | None:
        if values is None:
            return None
        return np.asarray(np.interp(grid, where, np.add.reduceat(values, starts) / counts), dtype=np.float64)

    rss = put(series.rss)
    assert rss is not None, "RSS is always there"
    return replace(
        series,
        rss=rss,
        rss_anon=put(series.rss_anon),
        swap=put(series.swap),
        live=put(series.live),
        held=put(series.held),
        shmem=put(series.shmem),
    )

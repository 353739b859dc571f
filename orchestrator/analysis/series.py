"""Check a series before anything is computed from it.

Every public function of this package takes its readings through ``as_series``, so that a hole in a
recording is an error with a name and never a quiet NaN in a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
SeriesLike = npt.ArrayLike | Sequence[float]

PAGE_MB = 4096 / 1024**2
"""One page of memory in MB (1024 squared bytes): the smallest step RSS can make."""


def as_series(values: SeriesLike, name: str, *, length: int | None = None) -> FloatArray:
    """Return ``values`` as a new one-dimensional float array.

    Args:
        values: The readings, one per iteration, in any unit.
        name: What the readings are; it appears in the error.
        length: The number of readings that the other channels have, when there are others.

    Raises:
        ValueError: The values are not one-dimensional, hold a NaN or an infinity, or have another
            length than the other channels.
    """
    series = np.array(values, dtype=np.float64)
    if series.ndim != 1:
        raise ValueError(f"{name}: expected one reading per iteration, found shape {series.shape}")
    bad = np.flatnonzero(~np.isfinite(series))
    if bad.size:
        raise ValueError(
            f"{name}: reading {int(bad[0]) + 1} of {series.size} is {series[bad[0]]}, not a finite number"
            f" ({bad.size} such in all)"
        )
    if length is not None and series.size != length:
        raise ValueError(f"{name}: {series.size} readings, but the other channels have {length}")
    return series

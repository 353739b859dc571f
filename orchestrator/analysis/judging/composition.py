"""What the growth is made of: live heap, free but held, outside malloc, shared memory, file pages, swap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.series import FloatArray

_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Composition:
    """Growth by part, MB per iteration; None where a channel is missing.

    The parts are ordinary least-squares slopes over the same iterations. That is not the most careful
    slope, but a linear one: the parts that are there, without ``swap``, add up to the growth of RSS plus swap.

    Attributes:
        live_heap: Bytes the program holds from malloc.
        held_free: Free chunks the allocator keeps.
        outside_malloc: Anonymous memory that did not come from malloc.
        shared_memory: Shared mappings, memfd and shared memory segments; the kernel cannot drop them.
        file_pages: Pages of mapped files; the kernel can drop them.
        swap: Memory moved out to swap: bytes of the parts above that are not resident.
    """

    live_heap: float | None
    held_free: float | None
    outside_malloc: float | None
    file_pages: float | None
    swap: float | None
    shared_memory: float | None = None


def compose(parts: dict[str, FloatArray | None], warm_up: int, per_step: float = 1.0) -> Composition:
    """Return the growth of every part after ``warm_up`` iterations.

    Args:
        parts: Readings in MB by the attribute names of ``Composition``, or None.
        warm_up: Readings left out at the start.
        per_step: What makes growth from reading to reading growth per iteration.
    """
    return Composition(
        **{
            name: None if values is None else per_step * ordinary_slope(values[warm_up:])
            for name, values in parts.items()
        }
    )


def ordinary_slope(values: FloatArray) -> float:
    """Return the ordinary least-squares slope per iteration; 0 below three readings."""
    if values.size < _FEWEST:
        return 0.0
    position = np.arange(values.size) - (values.size - 1) / 2
    return float(position @ values) / float(position @ position)

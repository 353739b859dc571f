"""Average long records in blocks: a few hundred means show growth as well as a million readings, in far less time.

Fitting every shape costs readings x candidates. Beyond ``MOST_READINGS`` the readings are averaged in blocks of equal
length, so that a record of any length is judged by 256 to 512 numbers. What is shorter than a block (a spike, a tooth)
is averaged out, which a long record can afford: a block is at most a 256th of it.
"""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.analysis.series import FloatArray

MOST_READINGS = 512
"""Records up to this length are judged reading by reading."""


class Blocks(NamedTuple):
    """A record as means of blocks.

    Attributes:
        means: One mean a block, unit of the readings.
        size: Readings in a block; 1 for the readings themselves.
        skipped: Readings at the start that fill no block, fewer than ``size``.
    """

    means: FloatArray
    size: int
    skipped: int


def in_blocks(values: FloatArray, most: int = MOST_READINGS) -> Blocks:
    """Return the means of blocks, each as short as possible with at most ``most`` blocks in all.

    The odd readings that fill no block are left out at the start, where a record is warming up anyway.
    """
    size = max(1, -(-values.size // most))
    if size == 1:
        return Blocks(values, 1, 0)
    skipped = values.size % size
    return Blocks(values[skipped:].reshape(-1, size).mean(axis=1), size, skipped)

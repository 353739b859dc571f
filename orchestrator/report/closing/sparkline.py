"""Readings as a row of blocks, ``▁▃▅▆▇█``: the shape of a series at a glance. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = ".:-=+*%#"
"""In the place of the blocks where the output's encoding has none."""

_SMALLEST_MB = 1.0
_SMALLEST_SHARE = 0.01


def sparkline(values: Sequence[float], span: float, width: int = len(BLOCKS)) -> str:
    """Return at most ``width`` blocks: how far the readings stand above the lowest of them, as parts of ``span``.

    Several readings in the place of one block are averaged; the ends are the first and the last reading. Empty
    without readings, and with a ``width`` below 1.
    """
    if not values or width < 1:
        return ""
    lowest = min(values)
    count = min(width, len(values))
    cut = [round(at * len(values) / count) for at in range(count + 1)]
    levels = [fmean(values[first:last]) for first, last in pairwise(cut)]
    levels[0], levels[-1] = (
        values[0],
        values[-1],
    )  # where it began and ended: a mean would hide a jump at the start
    heights = [(level - lowest) / span for level in levels]
    return "".join(BLOCKS[min(int(height * len(BLOCKS)), len(BLOCKS) - 1)] for height in heights)


def common_span(series: Sequence[Sequence[float]]) -> float:
    """Return what the highest block stands for, in MB, so that the series of one experiment can be compared.

    It is the largest range among them, and never so little that noise would fill the height: a MB, or a hundredth of
    the level.
    """
    ranges = [max(values) - min(values) for values in series if values]
    levels = [max(values) for values in series if values]
    return max([_SMALLEST_MB, *ranges, *(_SMALLEST_SHARE * level for level in levels)])

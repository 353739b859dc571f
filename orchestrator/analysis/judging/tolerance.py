"""What growth is still accepted, and how fine each channel reads.

A leak counts when it matters: at least 0.1 MB per iteration, or a tenth of the memory in a thousand
iterations when that is more. Where the series has a clock, growth counts by the hour instead: 0.1 MB, or a
thousandth of the memory, which is 2.4 % in a day. The live heap is read to the byte, so that a smaller leak can
be shown there before it matters: a fifth of the tolerance, and at most 0.02 MB per iteration.
"""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.judging.pace import Per
from orchestrator.analysis.series import PAGE_MB, FloatArray

SMALLEST_MB_PER_ITERATION = 0.1
SHARE_PER_ITERATION = 1e-4

SMALLEST_MB_PER_HOUR = 0.1
SHARE_PER_HOUR = 1e-3

RSS_FLOOR_MB = PAGE_MB
LIVE_FLOOR_MB = 0.001
NONMALLOC_FLOOR_MB = 0.02
"""Smallest differences the channels show; the last is a difference of three readings taken in turn."""

_LIVE_SHARE = 0.2
_LIVE_LARGEST = 0.02


def tolerance_mb(rss_mb: FloatArray) -> float:
    """Return the accepted growth of a process, MB per iteration, from its RSS readings in MB."""
    level = float(np.median(rss_mb)) if rss_mb.size else 0.0
    return max(SMALLEST_MB_PER_ITERATION, SHARE_PER_ITERATION * level)


def hourly_tolerance_mb(rss_mb: FloatArray) -> float:
    """Return the accepted growth of a process, MB per hour, from its RSS readings in MB: 2.4 % in a day."""
    level = float(np.median(rss_mb)) if rss_mb.size else 0.0
    return max(SMALLEST_MB_PER_HOUR, SHARE_PER_HOUR * level)


def live_tolerance_mb(tolerance: float, per: Per = "iteration") -> float:
    """Return the accepted growth of the live heap when ``tolerance`` is that of the process."""
    share = _LIVE_SHARE * tolerance
    return share if per == "hour" else min(_LIVE_LARGEST, share)

"""What control groups mean for a pool: the memory it may use, and whether the kernel killed in its group.

Which groups there are, and their limits, is :mod:`orchestrator.process.cgroup`'s part.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from orchestrator.process.cgroup import cgroup_limits, memory_groups, read_lines

RESERVE_SHARE = 0.1
LEAST_RESERVE_BYTES = 256 * 1024 * 1024
"""Kept back from the machine or the group for the host process and the system."""
EVENT_FILES = ("memory.events", "memory.oom_control")


def default_budget_bytes() -> int:
    """Return what a pool may use when the user does not say: the tightest limit there is, less a reserve."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = min(total, cgroup_limits().memory_bytes or total)
    reserve = min(max(LEAST_RESERVE_BYTES, int(limit * RESERVE_SHARE)), limit // 2)
    return max(1, limit - reserve)


def oom_kills(folders: Sequence[Path]) -> int | None:
    """Return how often the kernel killed for lack of memory in the innermost group that tells; else None."""
    for folder in folders:
        for name in EVENT_FILES:
            for line in read_lines(folder / name):
                key, _, count = line.partition(" ")
                if key == "oom_kill" and count.strip().isdigit():
                    return int(count)
    return None


class OomKills:
    """Tells whether the kernel killed since the last look. Counts are per group, so two deaths share one look."""

    def __init__(self, folders: Sequence[Path] | None = None) -> None:
        self._folders = memory_groups() if folders is None else folders
        self._seen = oom_kills(self._folders)

    def rose(self) -> bool:
        """Whether the count went up since the last call."""
        now = oom_kills(self._folders)
        before, self._seen = self._seen, now
        return now is not None and before is not None and now > before

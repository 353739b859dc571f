"""Whether the kernel killed a process of our control group for lack of memory.

Which groups there are is :mod:`orchestrator.process.cgroup`'s part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.process.cgroup import memory_groups, read_lines

EVENT_FILES = ("memory.events", "memory.oom_control")


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

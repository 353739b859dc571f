"""Few descriptors for a while: what a soak runs under, to see that nothing is lost by it."""

from __future__ import annotations

import os
import resource
import time
from typing import Self

from orchestrator.pool.pool import Pool


class Shortage:
    """Leaves this process few descriptors for a while, and counts what came of it."""

    def __init__(self, free: int | None) -> None:
        self._free = free
        self._fillers: list[int] = []
        self.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.put_off_starts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self, pool: Pool, workers: int) -> None:
        """Begin when all workers are up."""
        if self._free is None:
            return
        while sum(slot.worker is not None for slot in pool.stats().slots) < workers:
            time.sleep(0.02)
        highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 - numbers
        while (filler := os.open(os.devnull, os.O_RDONLY)) < highest:  # or gaps would be free, too
            self._fillers.append(filler)
        os.close(filler)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + self._free, self.limits[1]))

    def look(self, pool: Pool) -> None:
        """Count the jobs that were submitted while starts were put off."""
        if self._free is not None:
            self.put_off_starts += pool.stats().shortage is not None

    def end(self) -> None:
        """Have as many descriptors as before."""
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)
        while self._fillers:
            os.close(self._fillers.pop())

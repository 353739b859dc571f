"""A pool as others see it who look in: its statistics, taken anew for each look.

Holds its pool weakly: a pool that nobody has any more must end, looked into or not.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

from orchestrator.inspection import Inspection, Snapshot, view_of
from orchestrator.pool.stats import PoolStats


class HasStats(Protocol):
    """What of a pool is shown."""

    def stats(self) -> PoolStats:
        """Return what the pool looks like now."""
        ...


def inspection_of(pool: HasStats, title: str = "Pool") -> Inspection:
    """Let other processes of this user look into a pool until the returned inspection is closed.

    Raises:
        ResultsError: There is no safe place for the socket.
    """
    held = weakref.ref(pool)

    def take(uptime_s: float) -> Snapshot:
        living = held()
        if living is None:
            raise ConnectionAbortedError("the pool has ended")
        return view_of(living.stats(), pid=os.getpid(), title=title, uptime_s=uptime_s)

    return Inspection(take)

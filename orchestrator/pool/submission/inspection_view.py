"""A pool as others see it who look in: its statistics, taken anew for each look.

Holds its pool weakly: a pool that nobody has any more must end, looked into or not.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from orchestrator.inspection import Inspection, Snapshot, view_of

if TYPE_CHECKING:
    from orchestrator.pool.submission.controller import Controller


def inspection_of(controller: Controller, title: str = "Pool") -> Inspection:
    """Let other processes of this user look into a pool until the returned inspection is closed.

    Raises:
        ResultsError: There is no safe place for the socket.
    """
    there = weakref.ref(controller)

    def take(uptime_s: float) -> Snapshot:
        pool = there()
        if pool is None:
            raise ConnectionAbortedError("the pool has ended")
        return view_of(pool.stats(), pid=os.getpid(), title=title, uptime_s=uptime_s)

    return Inspection(take)

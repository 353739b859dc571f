"""How much memory workers may use when the user does not say: of the machine, or of the control group."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.process.cgroup import cgroup_limits, group_room_bytes, read_lines

RESERVE_SHARE = 0.1
LEAST_RESERVE_BYTES = 256 * 1024 * 1024
"""Kept back from the machine or the group for the host process and the system."""


def default_budget_bytes() -> int:
    """Return what a pool may use when the user does not say: the tightest limit there is, less a reserve."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _less_reserve(min(total, cgroup_limits().memory_bytes or total))


def free_budget_bytes(root: Path = Path("/")) -> int:
    """Return what a pool that is still to be started may use: what machine and group leave now, less a reserve."""
    rooms = [_available_bytes(root), group_room_bytes(root)]
    known = [room for room in rooms if room is not None]
    return _less_reserve(min(known)) if known else default_budget_bytes()


def _available_bytes(root: Path) -> int | None:
    """Return what the machine can give without swapping, as the kernel estimates it (proc(5), ``MemAvailable``)."""
    for line in read_lines(root / "proc/meminfo"):
        name, _, size = line.partition(":")
        if name == "MemAvailable" and size.split()[:1]:
            return int(size.split()[0]) * 1024
    return None


def _less_reserve(limit: int) -> int:
    reserve = min(max(LEAST_RESERVE_BYTES, int(limit * RESERVE_SHARE)), limit // 2)
    return max(1, limit - reserve)

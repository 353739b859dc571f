"""How much memory workers may use when the user does not say: of the machine, or of the control group."""

from __future__ import annotations

import os

from orchestrator.process.cgroup import cgroup_limits

RESERVE_SHARE = 0.1
LEAST_RESERVE_BYTES = 256 * 1024 * 1024
"""Kept back from the machine or the group for the host process and the system."""


def default_budget_bytes() -> int:
    """Return what a pool may use when the user does not say: the tightest limit there is, less a reserve."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = min(total, cgroup_limits().memory_bytes or total)
    reserve = min(max(LEAST_RESERVE_BYTES, int(limit * RESERVE_SHARE)), limit // 2)
    return max(1, limit - reserve)

"""How much memory workers may use when the user does not say: of the machine, or of the control group."""

from __future__ import annotations

import os
import re
from pathlib import Path

from orchestrator.config.sizes import parse_size
from orchestrator.process.cgroup import cgroup_limits, group_room_bytes, read_lines

RESERVE_SHARE = 0.1
_PER_CENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
LEAST_RESERVE_BYTES = 256 * 1024 * 1024
"""Kept back from the machine or the group for the host process and the system."""


def default_budget_bytes() -> int:
    """Return what a pool may use when the user does not say: the tightest limit there is, less a reserve."""
    return _less_reserve(_limit_bytes())


def budget_bytes(said: int | str | None) -> int:
    """Return the budget that a user means: bytes, text such as ``"4GiB"``, or ``"50%"`` of the tightest limit there is.

    None: :func:`default_budget_bytes`.

    Raises:
        ValueError: It is no size and no share; the message says what is allowed.
    """
    if said is None:
        return default_budget_bytes()
    if isinstance(said, str) and said.rstrip().endswith("%"):
        share = _PER_CENT.fullmatch(said)
        if share is None or not 0 < float(share[1]) <= 100:
            raise ValueError(f"{said!r} is no share of memory: more than 0% and at most 100%")
        return max(1, int(_limit_bytes() * float(share[1]) / 100))
    return parse_size(said)


def _limit_bytes() -> int:
    """Return the memory of the machine, or of the control group where that is less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(total, cgroup_limits().memory_bytes or total)


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

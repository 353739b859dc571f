"""What the control group says about memory: its limit, and how often the kernel killed in it.

Version 2 (``memory.max``, ``memory.events``) and version 1 (``memory.limit_in_bytes``, ``memory.oom_control``).
A process is bound by its own group and by every one above it, as far as they can be seen from here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUP_ROOT = Path("/sys/fs/cgroup")
RESERVE_SHARE = 0.1
LEAST_RESERVE_BYTES = 256 * 1024 * 1024
"""Kept back from the machine or the group for the host process and the system."""
LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")
EVENT_FILES = ("memory.events", "memory.oom_control")


def default_budget_bytes() -> int:
    """Return what a pool may use when the user does not say: the tightest limit there is, less a reserve."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = min([total, *limits_of(group_folders())])
    reserve = min(max(LEAST_RESERVE_BYTES, int(limit * RESERVE_SHARE)), limit // 2)
    return max(1, limit - reserve)


def group_folders(pid: int | str = "self", root: Path = CGROUP_ROOT) -> list[Path]:
    """Return the memory group's folders of a process, its own first, then those above it."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
    return [folder for line in lines for folder in _folders(line, root)]


def _folders(line: str, root: Path) -> Iterator[Path]:
    hierarchy, controllers, path = line.split(":", 2)
    if hierarchy == "0" and not controllers:
        base = root  # version 2; on mixed systems the folder simply has no memory files
    elif "memory" in controllers.split(","):
        base = root / "memory"
    else:
        return
    inner = PurePosixPath(path.lstrip("/"))
    for part in [inner, *inner.parents]:
        yield base / part


def limits_of(folders: list[Path]) -> list[int]:
    """Return every limit in bytes found in ``folders``; "max" and unreadable files are none."""
    found: list[int] = []
    for folder in folders:
        for name in LIMIT_FILES:
            text = _read(folder / name).strip()
            if text.isdigit() and int(text) > 0:
                found.append(int(text))
    return found


def oom_kills(folders: list[Path]) -> int | None:
    """Return how often the kernel killed for lack of memory in the innermost group that tells; else None."""
    for folder in folders:
        for name in EVENT_FILES:
            for line in _read(folder / name).splitlines():
                key, _, count = line.partition(" ")
                if key == "oom_kill" and count.strip().isdigit():
                    return int(count)
    return None


class OomKills:
    """Tells whether the kernel killed since the last look. Counts are per group, so two deaths share one look."""

    def __init__(self) -> None:
        self._folders = group_folders()
        self._seen = oom_kills(self._folders)

    def rose(self) -> bool:
        """Whether the count went up since the last call."""
        now = oom_kills(self._folders)
        before, self._seen = self._seen, now
        return now is not None and before is not None and now > before


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

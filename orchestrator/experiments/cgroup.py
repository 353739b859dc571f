"""The limits control groups put on this process: memory and processor time, version 1, 2 and mixtures.

A limit holds for a group and everything below it, so the effective one is the smallest on the way up to the
mount.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

_UNLIMITED_BYTES = 1 << 60
"""Version 1 says "no limit" by a number close to 2^63."""


class CgroupLimits(msgspec.Struct, frozen=True):
    """``None``: no limit, or the system does not tell. ``cpus`` is quota divided by period."""

    memory_bytes: int | None
    cpus: float | None


class _Group(msgspec.Struct, frozen=True):
    """A group's folder, and the mount's folder, above which nothing can be seen."""

    folder: Path
    mount: Path

    def way_up(self) -> list[Path]:
        return [self.folder, *(parent for parent in self.folder.parents if parent.is_relative_to(self.mount))]


def cgroup_limits(root: Path = Path("/")) -> CgroupLimits:
    """Read the limits of the calling process; ``root`` is where the system's files are looked for."""
    memory: list[int] = []
    cpus: list[float] = []
    unified = _group(root, "")
    for folder in unified.way_up() if unified else []:
        memory += _bytes_in(folder / "memory.max")
        cpus += _cpus_v2(folder / "cpu.max")
    of_memory = _group(root, "memory")
    for folder in of_memory.way_up() if of_memory else []:
        memory += _bytes_in(folder / "memory.limit_in_bytes")
    of_cpu = _group(root, "cpu")
    for folder in of_cpu.way_up() if of_cpu else []:
        cpus += _cpus_v1(folder)
    return CgroupLimits(min(memory, default=None), min(cpus, default=None))


def _group(root: Path, controller: str) -> _Group | None:
    """Find the process's group under ``controller``; the empty name means version 2."""
    path = _path_of_group(root, controller)
    mounted = _mount_of(root, controller)
    if path is None or mounted is None:
        return None
    mount_root, mount_point = mounted
    mount = root / mount_point.lstrip("/")
    # Inside a container the mount's root may be the group itself, or the path be told from outside our view.
    inner = path[len(mount_root) :] if mount_root != "/" and path.startswith(mount_root) else path
    folder = mount / inner.strip("/")
    return _Group(folder if folder.is_dir() else mount, mount)


def _path_of_group(root: Path, controller: str) -> str | None:
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            return path
    return None


def _mount_of(root: Path, controller: str) -> tuple[str, str] | None:
    """Return (root inside the hierarchy, mount point) out of mountinfo(5)."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        wanted = kind[0] == "cgroup2" if not controller else kind[0] == "cgroup"
        if wanted and (not controller or controller in kind[2].split(",")):
            return fields[3], fields[4]
    return None


def _bytes_in(path: Path) -> list[int]:
    numbers = [int(text) for text in _lines(path)[:1] if text.isdigit()]
    return [number for number in numbers if number < _UNLIMITED_BYTES]


def _cpus_v2(path: Path) -> list[float]:
    parts = " ".join(_lines(path)[:1]).split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) == 0:
        return []
    return [int(parts[0]) / int(parts[1])]


def _cpus_v1(folder: Path) -> list[float]:
    quota = _bytes_in(folder / "cpu.cfs_quota_us")
    period = _bytes_in(folder / "cpu.cfs_period_us")
    return [quota[0] / period[0]] if quota and period and period[0] else []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []

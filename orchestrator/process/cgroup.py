"""The control groups of this process and the limits they put on it: memory and processor time.

Version 1, 2 and mixtures. A limit holds for a group and everything below it, so the effective one is the smallest on
the way up to the mount. What the limits are good for is left to others.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import msgspec

_UNLIMITED_BYTES = 1 << 60
"""Version 1 says "no limit" by a number close to 2^63."""
_MEMORY_LIMITS = ("memory.max", "memory.limit_in_bytes")
_MEMORY_USED = (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file"))
"""What a group uses, and which part of that (in ``memory.stat``) are file pages that the kernel takes back at once."""


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
    memory = [
        size for folder in memory_groups(root) for name in _MEMORY_LIMITS for size in _bytes_in(folder / name)
    ]
    cpus = [
        *(share for folder in _way_up(root, "") for share in _cpus_v2(folder / "cpu.max")),
        *(share for folder in _way_up(root, "cpu") for share in _cpus_v1(folder)),
    ]
    return CgroupLimits(min(memory, default=None), min(cpus, default=None))


def memory_groups(root: Path = Path("/")) -> list[Path]:
    """Return the folders of the groups that bind this process's memory, its own before those above it.

    On mixed systems those of version 2 come first; they simply have no memory files there.
    """
    return [*_way_up(root, ""), *_way_up(root, "memory")]


def delegated_group(root: Path = Path("/")) -> tuple[Path, Path] | None:
    """Return the folder of this process's group of version 2, and that of its mount; None without one.

    Whether it is delegated is for whoever wants to arrange it to find out.
    """
    group = _group(root, "")
    return None if group is None else (group.folder, group.mount)


def group_room_bytes(root: Path = Path("/")) -> int | None:
    """Return what the groups of the calling process still leave: the least of limit less use; None without a limit."""
    rooms: list[int] = []
    for folder in memory_groups(root):
        limits = [size for name in _MEMORY_LIMITS for size in _bytes_in(folder / name)]
        if limits:
            rooms.append(max(0, min(limits) - _used_in(folder)))
    return min(rooms, default=None)


def _used_in(folder: Path) -> int:
    stat = dict(line.split(maxsplit=1) for line in read_lines(folder / "memory.stat") if " " in line)
    for name, idle in _MEMORY_USED:
        for used in _bytes_in(folder / name):
            reclaimed = stat.get(idle, "0")
            return max(0, used - (int(reclaimed) if reclaimed.isdigit() else 0))
    return 0


def _way_up(root: Path, controller: str) -> list[Path]:
    group = _group(root, controller)
    return group.way_up() if group else []


def _group(root: Path, controller: str) -> _Group | None:
    """Find the process's group under ``controller``; the empty name means version 2."""
    path = _path_of_group(root, controller)
    mounted = _mount_of(root, controller)
    if path is None or mounted is None:
        return None
    mount_root, mount_point = mounted
    mount = root / mount_point.lstrip("/")
    # Inside a container the mount's root may be the group itself, or the path be told from outside our view.
    inside = PurePosixPath(path)
    if inside.is_relative_to(mount_root):
        inside = inside.relative_to(mount_root)
    folder = mount if ".." in inside.parts else mount / str(inside).strip("/")
    return _Group(folder if folder.is_dir() else mount, mount)


def _path_of_group(root: Path, controller: str) -> str | None:
    for line in read_lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            return path
    return None


def _mount_of(root: Path, controller: str) -> tuple[str, str] | None:
    """Return (root inside the hierarchy, mount point) out of mountinfo(5)."""
    for line in read_lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        wanted = kind[0] == "cgroup2" if not controller else kind[0] == "cgroup"
        if wanted and (not controller or controller in kind[2].split(",")):
            return fields[3], fields[4]
    return None


def _bytes_in(path: Path) -> list[int]:
    numbers = [int(text) for text in read_lines(path)[:1] if text.isdigit()]
    return [number for number in numbers if number < _UNLIMITED_BYTES]


def _cpus_v2(path: Path) -> list[float]:
    parts = " ".join(read_lines(path)[:1]).split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) == 0:
        return []
    return [int(parts[0]) / int(parts[1])]


def _cpus_v1(folder: Path) -> list[float]:
    quota = _bytes_in(folder / "cpu.cfs_quota_us")
    period = _bytes_in(folder / "cpu.cfs_period_us")
    return [quota[0] / period[0]] if quota and period and period[0] else []


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file of the kernel's; none where it cannot be read."""
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []

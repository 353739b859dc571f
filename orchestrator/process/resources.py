"""What a process holds besides memory: descriptors, threads, children and shared memory. Linux tells most of it.

Read while the process stands still. ``None`` means that the system does not tell; nothing is ever guessed.

=================  ======================================================================================
``descriptors``    open files, sockets, pipes …, without those that stand for shared memory
``threads``        threads of the process, native ones too
``children``       descendants that run
``zombies``        descendants that have ended and were not waited for
``shared_memory``  segments: mapped or open (POSIX, memfd, System V, anonymous shared), System V segments that
                   the process made and nobody removed, and names under ``/dev/shm`` that the caller knows to be its
=================  ======================================================================================
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from orchestrator.process.memory import ON_LINUX, ProcessGoneError, read_boundary
from orchestrator.process.sampling.descendants import descendants

_SHARED_FILES = ("/dev/shm/", "/memfd:", "/SYSV", "/dev/zero")  # noqa: S108 - as they stand in maps and fd
_SYSV = Path("/proc/sysvipc/shm")
_IPC_RMID = 0
_Segment = tuple[int | str, int]
"""A segment's identity: device and inode, or ``sysv`` and its number there."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Counts at one moment; None: the system does not tell."""

    descriptors: int | None = None
    threads: int | None = None
    children: int | None = None
    zombies: int | None = None
    shared_memory: int | None = None


def read_resources(pid: int, segments: Collection[str] = ()) -> Resources:
    """Count what ``pid`` holds; ``segments`` are names under ``/dev/shm`` that it is known to have made.

    Raises:
        ProcessGoneError: The process is gone.
    """
    if not ON_LINUX:
        memory = read_boundary(pid)
        return Resources(memory.descriptors, memory.threads)
    try:
        descriptors, segments_open = _descriptors(pid)
        threads = len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - names only
        segments_mapped = _mapped(pid)
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGoneError(pid) from None
    except PermissionError:
        return Resources()
    family = descendants(pid)
    zombies = sum(_is_zombie(child) for child in family)
    shared = segments_open | segments_mapped | _named(segments) | _sysv_of(pid)
    return Resources(descriptors, threads, len(family) - zombies, zombies, len(shared))


def remove_segments(pid: int, segments: Collection[str]) -> None:
    """Remove the shared memory that an ended process ``pid`` made and left: it would stay until the machine restarts.

    ``segments`` are names under ``/dev/shm``; System V segments are found by who made them, while they have no user.
    """
    for name in segments:
        with contextlib.suppress(OSError):
            Path("/dev/shm", name).unlink()  # noqa: S108 - where the kernel keeps them
    left = [number for _, number in _sysv_of(pid)]
    if left:
        library = ctypes.CDLL(None)
        for number in left:
            library.shmctl(number, _IPC_RMID, None)


def _descriptors(pid: int) -> tuple[int, set[_Segment]]:
    """Return how many descriptors are open, and the shared segments among them apart."""
    folder = f"/proc/{pid}/fd"
    count, segments = 0, set[_Segment]()
    for name in os.listdir(folder):  # noqa: PTH208 - names only
        try:
            if os.readlink(f"{folder}/{name}").startswith(_SHARED_FILES):  # noqa: PTH115 - a link to no path
                segments.add(_of(os.stat(f"{folder}/{name}")))  # noqa: PTH116
                continue
        except OSError:
            continue  # closed since
        count += 1
    return count, segments


def _mapped(pid: int) -> set[_Segment]:
    found: set[_Segment] = set()
    for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
        words = line.split(None, 5)  # addresses, permissions, offset, device, inode, path
        if len(words) < 6 or words[1][3] != "s" or not words[5].startswith(_SHARED_FILES):
            continue
        if words[5].startswith("/SYSV"):
            found.add(("sysv", int(words[4])))
        else:
            major, _, minor = words[3].partition(":")
            found.add((os.makedev(int(major, 16), int(minor, 16)), int(words[4])))
    return found


def _named(segments: Collection[str]) -> set[_Segment]:
    found: set[_Segment] = set()
    for name in segments:
        with contextlib.suppress(OSError):
            found.add(_of(os.stat(f"/dev/shm/{name}")))  # noqa: PTH116, S108 - where the kernel keeps them
    return found


def _of(status: os.stat_result) -> _Segment:
    return status.st_dev, status.st_ino


def _sysv_of(pid: int) -> set[_Segment]:
    """Return the System V segments that the process made and that are still there."""
    try:
        head, *lines = _SYSV.read_text().splitlines()
    except (OSError, ValueError):
        return set()
    columns = head.split()
    shmid, cpid = columns.index("shmid"), columns.index("cpid")
    return {("sysv", int(row[shmid])) for row in (line.split() for line in lines) if row[cpid] == str(pid)}


def _is_zombie(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("Z", "X")

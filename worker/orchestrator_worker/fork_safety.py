"""May this process be forked now, and what must be made anew in the copy.

A fork copies the memory and one thread. It *shares* what is open: a file's position, a connection, a device, memory
that was mapped to be shared. ``docs/explanation/warm-starts.md`` says what follows from that.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from collections.abc import Mapping
from typing import Any, cast

_DEVICES = ("/dev/nvidia", "/dev/dri/", "/dev/kfd", "/dev/accel", "/dev/dxg", "/dev/davinci")
_CONNECTIONS = ("socket:", "pipe:", "anon_inode:")


class Look:
    """What this process has at the moment: threads, what is open, writable memory that is shared."""

    def __init__(self) -> None:
        """Look.

        Raises:
            OSError: There is no /proc to look into.
        """
        self.threads = len(os.listdir("/proc/self/task"))
        self.open = dict(_open_files())
        self.shared = _shared_memory()
        self.child = _has_a_child()

    def differs_from(self, before: Look) -> str:
        """Return what there is besides what was there ``before`` that a fork cannot copy; empty: nothing."""
        if self.threads > 1:
            return f"{self.threads - 1} threads of its own run after the load, and a fork copies no threads"
        for descriptor, target in self.open.items():
            if before.open.get(descriptor) == target:
                continue
            if target.startswith(_DEVICES):
                return f"it holds {target}: what a GPU knows of a process is not forked"
            if target.startswith(_CONNECTIONS):
                return f"it holds a connection after the load ({target}), which every fork would share"
        if self.child and not before.child:
            return "a process that the load has started still runs, and every fork would take it for its own"
        if new := sorted(self.shared - before.shared):
            return f"it has writable memory that every fork would share ({new[0]})"
        return ""


def _open_files() -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append((int(name), os.readlink(f"/proc/self/fd/{name}")))
        except OSError:
            continue  # the folder that is being listed
    return found


def _has_a_child() -> bool:
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def _shared_memory() -> set[str]:
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as lines:
        fields = [line.split(maxsplit=5) for line in lines]
    return {
        f"{each[0]} {each[-1].strip()}" for each in fields if each[1].startswith("rw") and each[1][3] == "s"
    }


def open_files() -> list[int]:
    """Return the descriptors of this process whose positions a fork would share."""
    return [descriptor for descriptor, _ in _open_files() if _is_file(descriptor)]


def renew(files: list[int]) -> None:
    """In a process that was just forked: its own positions in files, random numbers, names for temporary files.

    ``files`` are those that were open in the process it was forked from. Python's ``random`` and ``uuid`` see to
    themselves; the C library's ``rand`` goes on where the template stood.
    """
    for descriptor in files:
        try:
            _open_anew(descriptor)
        except OSError as error:
            print(
                f"worker: descriptor {descriptor} shares its position with other workers: {error}",
                file=sys.stderr,
            )
    loaded = cast("Mapping[str, Any]", sys.modules)
    if "tempfile" in loaded:
        loaded["tempfile"].tempdir = None  # as the environment of this worker says, not of the template
    if "numpy.random" in loaded:
        loaded["numpy.random"].seed()


def _is_file(descriptor: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        return False  # closed meanwhile


def _open_anew(descriptor: int) -> None:
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC)
    inheritable = os.get_inheritable(descriptor)
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    own = os.open(f"/proc/self/fd/{descriptor}", flags | os.O_CLOEXEC)
    try:
        os.lseek(own, position, os.SEEK_SET)
        os.dup2(own, descriptor, inheritable=inheritable)
    finally:
        os.close(own)

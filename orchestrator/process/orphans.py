"""How a process ended whose parent died before it could say so.

A worker of a fork server or a template that is gone belongs to the system's first process, and only a parent is told an
exit status. Two other places have it: the zombie's own line in ``/proc``, until somebody reaps it, and from Linux 6.15
on the pidfd, after that. Nothing is known where an older kernel's first process was quicker than we are.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import time
from pathlib import Path

_GET_INFO = 0xC040FF0B
"""PIDFD_GET_INFO, with the size of what it takes in its first version."""
_WANTED_EXIT = 1 << 3
_INFO = struct.Struct("=Q52xi")
"""What is wanted, or was given; the exit status, last of 64 bytes."""
PATIENCE_S = 0.2
"""So long it may take from a process's end until one of the two places tells of it."""


def orphan_status(pid: int, pidfd: int) -> int | None:
    """Return the exit status, as ``Popen.returncode``, of a process that has ended or is about to; None: unknown."""
    if pidfd < 0:
        return None
    ends = time.monotonic() + PATIENCE_S
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    poller.poll(PATIENCE_S * 1000)
    while time.monotonic() < ends:
        status = _of_a_zombie(pid, pidfd)
        if status is None:
            status, told = _of_a_pidfd(pidfd)
            if status is None and told:
                return None
        if status is not None:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    return None


def _of_a_zombie(pid: int, pidfd: int) -> int | None:
    """Return what its line says; None where there is none, or it is that of another by now."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        signal.pidfd_send_signal(pidfd, 0)  # it was not reaped yet: so the line was its own
    except (OSError, ValueError):
        return None
    return int(fields[49]) if fields[0] == "Z" else None


def _of_a_pidfd(pidfd: int) -> tuple[int | None, bool]:
    """Return what the pidfd knows, and whether that will be all."""
    info = bytearray(_INFO.pack(_WANTED_EXIT, 0))
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError:
        return None, True  # an older kernel, or one that keeps it to itself
    given, status = _INFO.unpack(info)
    return (int(status), True) if given & _WANTED_EXIT else (None, False)

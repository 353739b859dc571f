"""The jobs of faults.py: importable by every pool's workers, and knowing nothing of any of them."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import stat
import subprocess
import sys
import time


def good(number: int) -> int:
    """Do a little work; return an answer that only this job has."""
    time.sleep(0.02)
    return number * number


def bad(how: str) -> str:
    """Commit one fault."""
    FAULTS[how]()
    return how


def _raise() -> None:
    raise RuntimeError("a fault on purpose")


def _segfault() -> None:
    ctypes.string_at(0)


def _hang() -> None:
    time.sleep(3600)


def _hang_ignoring_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(3600)


def _garbage() -> None:
    """Scribble over every pipe and socket there is, as native code does that writes to a wrong descriptor."""
    for descriptor in range(3, 64):
        try:
            mode = os.fstat(descriptor).st_mode
            if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
                continue
            if select.select([], [descriptor], [], 0)[1]:
                os.write(descriptor, b"\xff" * 512)
        except (OSError, ValueError):
            continue


def _noise() -> None:
    for _ in range(64):
        os.write(1, b"noise of a native library\n" * 1024)


def _grandchild() -> None:
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(20)"], close_fds=False)


FAULTS = {
    "raise": _raise,
    "sys.exit": lambda: sys.exit(3),
    "os._exit": lambda: os._exit(3),
    "abort": os.abort,
    "SIGSEGV": _segfault,
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": _hang,
    "hang, SIGTERM ignored": _hang_ignoring_sigterm,
    "garbage": _garbage,
    "noise": _noise,
    "grandchild": _grandchild,
}

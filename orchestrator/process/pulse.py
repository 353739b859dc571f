"""Whether a process has run lately: how often its threads were given a processor, as the kernel counts it.

A worker that is asked to has a thread that wakes up now and then. So the count of a healthy one rises, whether it
computes, sleeps, waits, or holds the GIL in native code (the thread then wakes to wait for it). That of a process which
is stopped (SIGSTOP, a debugger, the freezer of control groups) does not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Pulse(NamedTuple):
    """``times_run``: how often any thread was given a processor; ``state`` is the letter of proc(5), T for stopped."""

    times_run: int
    state: str


def read_pulse(pid: int) -> Pulse | None:
    """Return the pulse of a process; None when it is gone, or the system counts no such thing."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names only
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        counts = [
            int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[2]) for thread in threads
        ]
    except (OSError, ValueError, IndexError):
        return None  # also when a thread ends meanwhile: it has run
    return Pulse(sum(counts), state)

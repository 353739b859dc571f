"""Whether a process stands still on a lock that nobody will release, as far as that can be seen from outside.

A fork copies one thread. A lock that another held stays locked in the copy, and who wants it waits for ever: asleep in
the kernel's ``futex``, without a moment of processor time. A process that waits for something that can come (a child, a
pipe, a connection, the clock) sleeps elsewhere, which ``/proc/PID/task/TID/wchan`` tells; one that waits for a lock and
the clock (``Event.wait(30)``) has told the kernel until when, as its ``syscall`` shows to whoever may trace it.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

_LOCK = "futex"
_LIMIT = 4
"""Where in ``syscall`` the fourth argument is: where the limit of a ``futex`` lies, or nought."""
_OURS: Counter[str] = Counter(("pipe", "clock"))
"""Where threads of our own sleep in each worker: the lifeline, and the one that beats."""


def read_standstill(pid: int) -> int | None:
    """Return how often the main thread has run, if the process can only wait for a lock now.

    None where it works, waits for something else, has children, is gone, or the system does not tell.
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names only
        sleeps = {thread: _sleep(f"/proc/{pid}/task/{thread}") for thread in threads}
        if sleeps.get(str(pid)) != _LOCK:
            return None
        others = Counter(each for each in sleeps.values() if each != _LOCK)
        if others - _OURS or any(_children(f"/proc/{pid}/task/{thread}") for thread in threads):
            return None
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[2])
    except (OSError, ValueError, IndexError):
        return None


def _sleep(task: str) -> str:
    """Return in what a thread sleeps: for a lock for ever, a pipe, the clock, or else; empty when it is awake."""
    if Path(f"{task}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "S":
        return ""
    place = Path(f"{task}/wchan").read_text()
    names = {_LOCK: _LOCK, "pipe_read": "pipe", "anon_pipe_read": "pipe", "nanosleep": "clock"}
    kind = next((kind for name, kind in names.items() if name in place), place or "unknown")
    return "lock or clock" if kind == _LOCK and _has_a_limit(task) else kind


def _has_a_limit(task: str) -> bool:
    """Whether a call of ``futex`` ends by the clock; False where the system does not tell."""
    try:
        call = Path(f"{task}/syscall").read_text().split()
    except OSError:
        return False
    return len(call) > _LIMIT and int(call[_LIMIT], 16) != 0


def _children(task: str) -> str:
    return Path(f"{task}/children").read_text()

"""Locks and descriptors that an interrupt cannot leave behind.

The interpreter runs signal handlers between two steps of Python. One that raises (Ctrl-C) can strike between
``os.open`` and the assignment of what it returned: a descriptor is open that nobody knows. Or in
``threading.Condition``, whose ``with`` block is entered in a function of Python: the lock is taken, the block never
began, and the next thread that wants the lock hangs. No handler runs inside a function written in C. So here opening
and noting are one such step, and so are forgetting and closing, and taking a lock.
"""

from __future__ import annotations

import os
import threading
from operator import attrgetter
from typing import TYPE_CHECKING


class UninterruptedCondition(threading.Condition):
    """A standard condition, entered and left in one step each."""

    def __init__(self) -> None:
        lock = threading.RLock()
        super().__init__(lock)
        self.enter = lock.__enter__
        self.leave = lock.__exit__

    if not TYPE_CHECKING:  # found by ``with`` on the class; what they give are the lock's own functions
        __enter__ = property(attrgetter("enter"))
        __exit__ = property(attrgetter("leave"))


def open_into(opened: list[int], path: str, flags: int) -> None:
    """Open ``path`` and append the descriptor to ``opened``, in one step.

    Raises:
        OSError: It cannot be opened; nothing was appended.
    """
    opened.extend(map(os.open, (path,), (flags | os.O_CLOEXEC,)))


def close_all(opened: list[int]) -> None:
    """Close the descriptors in ``opened`` and take them out, each in one step; again is harmless."""
    while opened:
        any(map(os.close, map(list[int].pop, (opened,))))


def read_small(path: str) -> bytes:
    """Return what is in a small file of ``/proc``. A file object would cost twice as much as all the rest.

    Raises:
        OSError: It cannot be read.
    """
    opened: list[int] = []
    text = b""
    try:
        open_into(opened, path, os.O_RDONLY)
        while chunk := os.read(opened[0], 1 << 16):
            text += chunk
    finally:
        if opened:  # called here: a function of Python could be struck at its first step
            os.close(*opened)
    return text

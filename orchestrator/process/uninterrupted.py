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
from collections.abc import Callable, Iterable
from functools import partial
from itertools import starmap
from operator import attrgetter
from typing import TYPE_CHECKING, Any


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


class OwnDescriptor:
    """One descriptor, closed by :meth:`close` or when nothing refers to it any more; in one step either way, and once.

    Whoever makes something of several steps keeps what it has opened in such an object: an interrupt between two of
    them takes the object away with the frames that held it.
    """

    __slots__ = ("_close", "_opened")

    def __init__(self) -> None:
        """Own nothing yet; :meth:`open` is called once."""
        self._opened: list[int | None] = [None]  # where closing ends
        # ``partial``, ``any``, ``map``, ``iter`` and both functions are written in C: this is one step. What it has
        # gone through to its end it never goes through again, so a number that is somebody else's is not closed.
        self._close: Callable[[], object] = partial(any, map(os.close, iter(self._opened.pop, None)))

    def close(self) -> None:
        """Close it; again is harmless. Struck before it has, it is closed with the last reference."""
        self._close()

    def open(self, function: Callable[..., int], *arguments: Any) -> None:
        """Own what ``function``, which must be written in C, returns for these arguments."""
        self._opened.extend(starmap(function, (arguments,)))

    def adopt(self, numbers: Iterable[int]) -> None:
        """Own descriptors that are open already; in one step where ``numbers`` is a list."""
        self._opened.extend(numbers)

    def __bool__(self) -> bool:
        """Whether it owns one."""
        return len(self._opened) > 1

    @property
    def number(self) -> int:
        """The descriptor.

        Raises:
            ValueError: It is closed.
        """
        number = self._opened[-1] if self._opened else None
        if number is None:
            raise ValueError("the descriptor is closed")
        return number

    if (
        not TYPE_CHECKING
    ):  # found on the class when the object goes; what it gives is called, and is written in C
        __del__ = property(attrgetter("_close"))


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

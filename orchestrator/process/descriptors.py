"""Descriptors that an interrupt cannot lose.

A thread that a caller lends to the pool may be struck by Ctrl-C between any two steps of Python: between ``os.open`` and
the assignment of what it returned, a descriptor is open that nobody knows. The interpreter runs no signal handler inside
a function written in C, so here opening and noting are one such step, and so are forgetting and closing.
"""

from __future__ import annotations

import os


def open_into(opened: list[int], path: str, flags: int) -> None:
    """Open ``path`` and append the descriptor to ``opened``, in one step.

    Raises:
        OSError: It cannot be opened; nothing was appended.
    """
    opened.extend(map(os.open, (path,), (flags | os.O_CLOEXEC,)))


def close_all(opened: list[int]) -> None:
    """Close the descriptors in ``opened`` and take them out, each in one step; again is harmless."""
    while opened:
        any(map(os.close, map(list.pop, (opened,))))


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
        close_all(opened)
    return text

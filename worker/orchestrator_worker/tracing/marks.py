"""The marks in a trace: each command of the parent leaves one, a block of a size that tells the command.

Whoever reads the trace thus knows what was alive at each boundary, by the order of the records and by no clock.
"""

from __future__ import annotations

import resource
from typing import Protocol

MARK_BYTES = 48_611
"""Size of the smallest mark; nothing else has a reason to ask for just this."""
MARK_STEP = 64
"""Bytes between the marks of two commands, more than an allocator's header."""
MARKED = ("Load", "Run", "Restart", "Unload", "Trim", "Trace")
"""The commands that leave a mark, in the order of its size; a name is that of its message."""
SECOND_MARK_BYTES = 2 * MARK_BYTES
"""A trace that has sizes and no names has a block of this size within the life of the first."""


class Tracing(Protocol):
    """A running trace; ``name`` is that of the tracer, with its version where it can be known here."""

    name: str

    def mark(self, command: str) -> None:
        """Leave the mark of a command that begins; garbage that only waits for its collection is none of it."""
        ...

    def stop(self) -> None:
        """End the trace; what it has written is whole then."""
        ...


def mark(code: int) -> None:
    """Allocate and free the mark ``code``; readers know it by this function's name too."""
    bytearray(MARK_BYTES + MARK_STEP * code)


def mark_twice(code: int) -> None:
    """The same for readers that know no names: one block within the life of another, both of sizes of ours."""
    first = bytearray(MARK_BYTES + MARK_STEP * code)
    bytearray(SECOND_MARK_BYTES + MARK_STEP * code)
    del first


def bound_files(most_bytes: int) -> None:
    """Let no file of this process grow beyond the bound: what is written in one iteration nobody can foresee."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    bound = most_bytes if hard == resource.RLIM_INFINITY else min(hard, most_bytes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bound, hard))

"""A condition whose lock Ctrl-C cannot leave taken.

``threading.Condition`` takes and lets go of its lock in functions of Python. The interpreter runs signal handlers
between two steps of Python alone: one that raises there, after the lock was taken and before the block began, leaves it
taken for ever, and the next thread that wants it hangs. Here both are single steps of the interpreter: ``with`` finds
the lock's own functions, which are written in C.
"""

from __future__ import annotations

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

    if not TYPE_CHECKING:
        __enter__ = property(attrgetter("enter"))
        __exit__ = property(attrgetter("leave"))

"""One run at a time in a results folder.

The lock is the kernel's (``flock``), so it ends with the process that holds it, ``kill -9`` included; what
stands in the file only tells others who that is. The file itself stays: removing it would let two runs lock
two different files.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import os
import weakref
from collections.abc import Generator
from pathlib import Path

from orchestrator.errors import ResultsError, ResultsLockedError
from orchestrator.files.safe_places import open_own
from orchestrator.files.writing import write_problem

LOCK_NAME = ".lock"


class _Held:
    """The descriptor that holds a lock; ``-1`` once closed."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


_held: weakref.WeakSet[_Held] = weakref.WeakSet()


def _close_in_forked_copy() -> None:
    """A forked copy of the parent must not keep the folder locked after the parent's death."""
    for held in list(_held):
        held.close()


os.register_at_fork(after_in_child=_close_in_forked_copy)


@contextlib.contextmanager
def locked(folder: Path, elsewhere: str = "--results DIR") -> Generator[None]:
    """Hold the lock of ``folder``, which exists, for the ``with`` block. Does not wait.

    ``elsewhere`` is what the error tells a user to choose instead.

    Raises:
        ResultsLockedError: Another process (or another block of this one) holds it; names it.
        ResultsError: The lock cannot be taken at all.
    """
    path = folder / LOCK_NAME
    held = _Held(_open(path))
    try:
        _take(folder, path, held.descriptor, elsewhere)
        _held.add(held)
        yield
        with contextlib.suppress(OSError):
            os.ftruncate(held.descriptor, 0)
    finally:
        held.close()


def _open(path: Path) -> int:
    try:  # descriptors of os.open are not inherited by programs we start
        return open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise write_problem(path, error) from error


def _take(folder: Path, path: Path, descriptor: int, elsewhere: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
        raise ResultsLockedError(str(folder), owner or "which has just begun", elsewhere) from None
    except OSError as error:
        if error.errno in {errno.ENOLCK, errno.ENOTSUP}:
            raise ResultsError(
                f"{path}: this file system has no locks; choose {elsewhere} on a local disk"
            ) from error
        raise write_problem(path, error) from error
    since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()}, since {since}\n".encode(), 0)
    except OSError as error:
        raise write_problem(path, error) from error

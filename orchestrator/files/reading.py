"""Read files that others may have put there: nothing but a regular file is read, and none of them is waited for.

A run or a results folder may come from a stranger. To open a FIFO in the place of one of its files waits until somebody
writes, and a link in that place shows another file of the reader's. So a file is opened without waiting and without
following, and then must be a regular one. Where users name a file themselves, they may name a link or a pipe.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_NOT_REGULAR = "it is no regular file (a pipe, a socket or a device); put a file there"
_IS_LINK = "it is a link; put the file itself there"


def open_regular(path: Path, flags: int = os.O_RDONLY, mode: int = 0o666, *, follow: bool = False) -> int:
    """Open a regular file and return its descriptor; blocks for no writer.

    Args:
        path: Which file.
        flags: As for :func:`os.open`.
        mode: Of a file that is made, with ``os.O_CREAT``.
        follow: Whether the name itself may be a link; links among the folders above are followed anyway.

    Raises:
        OSError: It cannot be opened. ELOOP for a link, EISDIR for a folder, EINVAL for anything else but a file.
    """
    try:
        no_link = 0 if follow else os.O_NOFOLLOW
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | no_link, mode)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise OSError(errno.ELOOP, _IS_LINK, str(path)) from error
        raise
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, _NOT_REGULAR, str(path))


def read_regular(path: Path, *, follow: bool = False, most_bytes: int = -1) -> bytes:
    """Return what a regular file holds, at most ``most_bytes`` of it; -1 sets no bound.

    Raises:
        OSError: It cannot be read, or is no regular file, see :func:`open_regular`.
    """
    with open(open_regular(path, follow=follow), "rb") as file:
        return file.read(most_bytes)


def read_named(path: Path, *, waits: bool = True) -> bytes:
    """Return what a user names for reading: a file, a link to one, or a pipe (``<(command)``, ``mkfifo``), to its end.

    Args:
        path: What is named.
        waits: For somebody who opens a named pipe for writing, as every program does. A long-running one must not
            where nobody could interrupt it: to it, a pipe without a writer is empty.

    Raises:
        OSError: It cannot be read.
    """

    def without_waiting(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC)

    # Closed where it is a folder, too.
    with open(path, "rb", opener=None if waits else without_waiting) as file:
        os.set_blocking(file.fileno(), True)
        return file.read()

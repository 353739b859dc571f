"""Sealed shared memory: bytes in a memfd that nobody can change, shrink or grow any more.

The seals are what its reader trusts: of a descriptor that has them the size stays and the content stays, whoever made
it, and it is memory and no file that could block or be somebody else's.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW if hasattr(fcntl, "F_SEAL_WRITE") else 0
AVAILABLE = hasattr(os, "memfd_create") and SEALS != 0
"""Whether this system has it: Linux."""
MEMORY_FLAGS = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING if AVAILABLE else 0
DEFAULT_BOUND = 2 << 30
"""Bytes that one value may have, unless told otherwise."""
LARGEST_BOUND = (4 << 30) - 1
"""As many as msgpack has lengths for."""


def sealed_memory(name: str, pieces: Iterable[bytes | bytearray | memoryview]) -> int:
    """Return the descriptor of a memfd with these bytes, sealed; its offset is the beginning. ``name`` is for people.

    Raises:
        OSError: No descriptor or no memory is left, or the system has no memfd.
    """
    descriptor = os.memfd_create(name, MEMORY_FLAGS)
    try:
        fill_and_seal(descriptor, pieces)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def fill_and_seal(descriptor: int, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
    """Write these bytes into new memory of ``MEMORY_FLAGS``, and seal it.

    Raises:
        OSError: No memory is left.
    """
    for piece in pieces:
        view = memoryview(piece).cast("B")
        while view:
            view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)


def sealed_size(descriptor: int) -> int | None:
    """Return the bytes of sealed memory; None for a descriptor of anything else, or without all of the seals."""
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        return None  # a file, a pipe, a device
    return os.fstat(descriptor).st_size if seals & SEALS == SEALS else None

"""Sealed memory that is the host's: made by a caller's thread, which an interrupt may strike at any step."""

from __future__ import annotations

import os
from collections.abc import Iterable

from orchestrator.process.uninterrupted import OwnDescriptor
from orchestrator_worker.sharing.shared_memory import MEMORY_FLAGS, fill_and_seal


def own_sealed_memory(name: str, pieces: Iterable[bytes | bytearray | memoryview]) -> OwnDescriptor:
    """Return a memfd with these bytes, sealed. It is closed with the last reference to it. ``name`` is for people.

    Raises:
        OSError: No descriptor or no memory is left, or the system has no memfd.
    """
    memory = OwnDescriptor()
    memory.open(os.memfd_create, name, MEMORY_FLAGS)
    try:
        fill_and_seal(memory.number, pieces)
    except BaseException:
        memory.close()  # now, and not when the exception with its frames is gone
        raise
    return memory

"""A result that is too large for a frame: it goes into sealed memory, whose descriptor is passed before the Done."""

from __future__ import annotations

import os

from orchestrator_worker.framing import FramingError
from orchestrator_worker.pipe import Pipe
from orchestrator_worker.sharing.shared_memory import sealed_memory


def pass_result(pipe: Pipe, command_id: int, packed: memoryview, most_bytes: int) -> int:
    """Pass a packed result to the parent; return how many bytes it has.

    Raises:
        FramingError: It has more than ``most_bytes``.
        OSError: No memory or descriptor is left.
    """
    pipe.end_a_fork()  # the socket is the original's
    if packed.nbytes > most_bytes:
        problem = f"the result has {packed.nbytes:,} bytes, and the bound is {most_bytes:,}"
        raise FramingError(f"{problem}: raise max_value, or write a file and return its path", b"")
    descriptor = sealed_memory("orchestrator-result", [packed])
    try:
        pipe.passing().send(command_id, descriptor)
    finally:
        os.close(descriptor)
    return packed.nbytes

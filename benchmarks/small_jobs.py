"""The jobs of the speed benchmarks: importable by every pool's workers, and next to nothing to do."""

from __future__ import annotations

import os
import time


def nothing(argument: object = None) -> object:
    """Return the argument."""
    return argument


def process_number(_: object = None) -> int:
    """Return the number of the process that does the job."""
    return os.getpid()


def process_number_after_a_pause(_: object = None) -> int:
    """Return the number of the process, late enough for the other workers to get a job too."""
    time.sleep(0.2)
    return os.getpid()


def length(array: object) -> int:
    """Return how many items it has, and look at none."""
    return len(array)  # type: ignore[arg-type]


def checksum(array: object) -> str:
    """Return what the engine ``synthetic`` makes of the same bytes."""
    import hashlib  # noqa: PLC0415 - the other jobs need not wait for it

    return hashlib.sha256(memoryview(array)).hexdigest()[:8]  # type: ignore[arg-type]

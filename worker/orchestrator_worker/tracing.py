"""A worker under the tracer: every allocation of the process is written to a file, with its stack.

Memray patches the calls of ``malloc`` and its kin in every loaded library. That makes the process several times slower
and changes its memory, so a traced worker is never judged; the parent says so wherever it shows what came of it.

Each command that follows leaves a mark in the file: one block of Python's, of a size that tells the command. Whoever
reads the file thus knows what was alive at each boundary, by the order of the records and by no clock.
"""

from __future__ import annotations

import gc
import importlib
import resource
from typing import Any

from orchestrator_worker.engines.base import EngineUnavailableError

HOW_TO_GET_IT = "pip install 'orchestrator[locate]'"
MARK_BYTES = 48_611
"""Size of the smallest mark; nothing else has a reason to ask for just this."""
MARK_STEP = 64
"""Bytes between the marks of two commands, more than an allocator's header."""
MARKED = ("Load", "Run", "Restart", "Unload", "Trim", "Trace")
"""The commands that leave a mark, in the order of its size; a name is that of its message."""


class Tracing:
    """A running trace, from its making to :meth:`stop`."""

    def __init__(self, file: str, most_bytes: int) -> None:
        """Write to ``file``, which must not be there. Beyond ``most_bytes`` nothing more is written.

        Raises:
            EngineUnavailableError: Memray is not installed.
            OSError: The file cannot be written.
        """
        memray = _memray()
        self.name = f"memray {memray.__version__}"
        _bound_files(most_bytes)
        destination = memray.FileDestination(file, compress_on_exit=False)
        # The interval is that of readings of RSS, which nobody looks at: so as few as there can be.
        self._tracker = memray.Tracker(destination=destination, native_traces=True, memory_interval_ms=60_000)
        self._tracker.__enter__()

    def mark(self, command: str) -> None:
        """Leave the mark of a command that begins; garbage that only waits for its collection is none of it."""
        if command in MARKED:
            gc.collect()
            mark(MARKED.index(command))

    def stop(self) -> None:
        """End the trace; the file is whole then."""
        self._tracker.__exit__(None, None, None)


def mark(code: int) -> None:
    """Allocate and free the mark ``code``; readers know it by this function's name too."""
    bytearray(MARK_BYTES + MARK_STEP * code)


def _memray() -> Any:
    try:
        return importlib.import_module("memray")
    except ImportError as error:
        raise EngineUnavailableError(
            f"the tracer memray cannot be imported: {error}", HOW_TO_GET_IT
        ) from error


def _bound_files(most_bytes: int) -> None:
    """Let no file of this process grow beyond the bound: what is written in one iteration nobody can foresee."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    bound = most_bytes if hard == resource.RLIM_INFINITY else min(hard, most_bytes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bound, hard))

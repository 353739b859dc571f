"""A worker under memray: every allocation of the process is written to a file, with its stack.

Memray patches the calls of ``malloc`` and its kin in every loaded library. That makes the process several times slower
and changes its memory, so a traced worker is never judged; the parent says so wherever it shows what came of it.
"""

from __future__ import annotations

import gc
import importlib
from typing import Any

from orchestrator_worker.engines.base import EngineUnavailableError
from orchestrator_worker.tracing.marks import MARKED, bound_files, mark

HOW_TO_GET_IT = "pip install 'orchestrator[locate]'"


class MemrayTracing:
    """Memray, from its making to :meth:`stop`."""

    def __init__(self, file: str, most_bytes: int) -> None:
        """Write to ``file``, which must not be there. Beyond ``most_bytes`` nothing more is written.

        Raises:
            EngineUnavailableError: Memray is not installed.
            OSError: The file cannot be written.
        """
        memray = _memray()
        self.name = f"memray {memray.__version__}"
        bound_files(most_bytes)
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


def _memray() -> Any:
    try:
        return importlib.import_module("memray")
    except ImportError as error:
        raise EngineUnavailableError(
            f"the tracer memray cannot be imported: {error}", HOW_TO_GET_IT
        ) from error

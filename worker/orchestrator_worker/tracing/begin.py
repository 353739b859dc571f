"""Begin a trace by the tracer that the parent has chosen."""

from __future__ import annotations

from typing import Literal

from orchestrator_worker.tracing.marks import Tracing

TracerKey = Literal["memray", "heaptrack", "jemalloc"]


def begin(tracer: TracerKey, file: str, most_bytes: int) -> Tracing:
    """Begin a trace; beyond ``most_bytes`` nothing more is written to a file.

    Raises:
        EngineUnavailableError: The tracer is not installed, not loaded, or cannot trace.
        OSError: The file cannot be written.
    """
    if tracer == "memray":
        from orchestrator_worker.tracing.memray_tracing import MemrayTracing

        return MemrayTracing(file, most_bytes)
    from orchestrator_worker.tracing import preloaded

    if tracer == "heaptrack":
        return preloaded.HeaptrackTracing(file, most_bytes)
    return preloaded.JemallocTracing(file, most_bytes)

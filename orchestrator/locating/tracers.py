"""What can trace a worker: memray, wherever it is installed.

Each tracer answers the same questions: whether it is there, how to get it, what it is called. The worker starts it by
the message ``Trace``; :mod:`.capture` reads what it has written.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from orchestrator.errors import EngineUnavailableError
from orchestrator.locating.flame_graph import draw_flame_graph
from orchestrator_worker.tracing import HOW_TO_GET_IT


class Tracer(Protocol):
    """One tracer of allocations."""

    @property
    def name(self) -> str:
        """Its name with its version."""
        ...

    @property
    def missing(self) -> str:
        """Why it cannot be used; empty when it can."""
        ...

    def draw(self, trace: Path, page: Path) -> str:
        """Write the tracer's own page about a trace; return why it could not, empty where there is none to write."""
        ...


class Memray:
    """Memray: native and Python frames as one stack, on Linux and macOS, from a wheel."""

    @property
    def name(self) -> str:
        """Its name with its version."""
        try:
            return f"memray {version('memray')}"
        except PackageNotFoundError:
            return "memray"

    @property
    def missing(self) -> str:
        """Why it cannot be used; empty when it can."""
        return "" if importlib.util.find_spec("memray") else "memray is not installed"

    def draw(self, trace: Path, page: Path) -> str:
        """Write memray's flame graph of what was not freed; return why it could not."""
        return draw_flame_graph(trace, page)


def choose_tracer() -> Tracer:
    """Return the tracer to use.

    Raises:
        EngineUnavailableError: There is none; says how to get one.
    """
    memray = Memray()
    if memray.missing:
        raise EngineUnavailableError(f"there is no tracer: {memray.missing}", HOW_TO_GET_IT)
    return memray

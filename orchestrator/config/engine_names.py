"""Which engine names an experiments.toml may use.

By name only: an engine is imported in a worker, never here.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from orchestrator_worker.engines.base import ENTRY_POINT_GROUP

KNOWN_ENGINES = (
    "chatllm",
    "moonshine",
    "pocketsphinx",
    "faster-whisper",
    "synthetic",
    "synthetic-restart",
    "function",
)
"""The built-in engines, whether or not their libraries are installed."""


def engine_names() -> list[str]:
    """Return the built-in names, then the names of installed third-party engines, sorted."""
    installed = {entry_point.name for entry_point in entry_points(group=ENTRY_POINT_GROUP)}
    return [*KNOWN_ENGINES, *sorted(installed.difference(KNOWN_ENGINES))]

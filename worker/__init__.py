"""The child side: one process that holds at most one loaded model and does one job at a time.

Reading order: :mod:`worker.protocol` (what is said), :mod:`worker.framing` (how it is written),
:mod:`worker.engines.base` (what an engine must offer), :mod:`worker.loop` (receive, run, reply).

Nothing here imports ``orchestrator``: until an engine is loaded the process holds the standard library
and msgspec alone, so that its memory is the engine's.
"""

__version__ = "0.1.0"

"""The child side: one process that holds at most one loaded model and does one job at a time.

Reading order: :mod:`orchestrator_worker.protocol` (the messages), :mod:`orchestrator_worker.framing` (their
bytes), :mod:`orchestrator_worker.engines.base` (what an engine must offer), :mod:`orchestrator_worker.loop`
(receive, run, reply).

The package lies in the folder ``worker/`` and has a name of its own, because a project that uses us may well
have a ``worker.py``: two modules of one name on ``sys.path`` hide each other.

Nothing here imports ``orchestrator``: until an engine is loaded the process holds the standard library
and msgspec alone, so that its memory is the engine's.
"""

__version__ = "0.1.0"

"""What a pool tells its ``on_event`` hook: one frozen record per event, made on the pool's event loop.

A hook must be quick, because nothing else happens in the pool meanwhile, and it must not wait for the pool.
What it raises is logged and hurts nobody.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class WorkerEventRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is about a worker. ``at_s`` is the monotonic clock."""

    at_s: float
    slot: int
    generation: int
    pid: int
    model: str


class WorkerStarted(WorkerEventRecord, frozen=True):
    """A process was spawned.

    ``exec``: a new interpreter; ``fork``: a copy of the pool's fork server; ``warm``: a copy of its model's template,
    with the model loaded.
    """

    start: str = "exec"


class WorkerLoaded(WorkerEventRecord, frozen=True):
    """Its model is loaded. ``start_s`` is from spawn to here, ``load_s`` the engine's part."""

    start_s: float
    load_s: float
    rss_bytes: int


class WorkerDismissed(WorkerEventRecord, frozen=True):
    """It was told to go."""

    reason: str


class WorkerLeft(WorkerEventRecord, frozen=True):
    """It is confirmed gone. ``reason`` is an exit reason, ``cause`` the decoded exit status."""

    reason: str
    cause: str
    jobs: int
    peak_bytes: int
    stderr_tail: str


class JobEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A job ended. ``outcome`` is ``result error timeout cancelled died poisoned`` or ``refused``."""

    at_s: float
    job: int
    task: str
    model: str
    outcome: str
    waited_s: float
    run_s: float
    slot: int | None
    attempts: int


class ModelTakenOut(msgspec.Struct, frozen=True, kw_only=True):
    """A model will not be started any more."""

    at_s: float
    model: str
    why: str
    evidence: tuple[str, ...]


PoolEvent = WorkerStarted | WorkerLoaded | WorkerDismissed | WorkerLeft | JobEnded | ModelTakenOut
Hook = Callable[[PoolEvent], object]
"""What ``on_event`` is: called with each event."""

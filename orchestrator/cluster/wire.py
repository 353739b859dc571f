"""What crosses between the driver and a node, and how our errors do.

::

    driver ── Order, audio bytes ─▶ node          the worker's own frame, made and checked in the driver
    driver ◀─ Started, TextCame, Ended, … ── node in batches, as they come

Ray pickles these records; driver and nodes trust each other. What a worker process says is decoded by the node's pool,
as always without pickle, before it gets here. Exceptions travel as facts, because unpickling one calls its class
with ``args`` alone, which ours do not accept.
"""

from __future__ import annotations

import traceback
from typing import Any, NamedTuple

import msgspec

from orchestrator import errors
from orchestrator.errors import Attempt, JobError, OrchestratorError
from orchestrator.pool.results import WorkerTag
from orchestrator.pool.stats import PoolStats
from orchestrator_worker.protocol import Chunk


class NodeWorkerTag(WorkerTag, frozen=True, kw_only=True):
    """Which process of which node did the job."""

    node: str


class Order(NamedTuple):
    """A job for a node. ``frame`` is what its worker gets, but for the path of audio that comes along.

    ``audio`` is the place of its audio, or of its large arguments, among those of the batch, None when it has none or
    when the node is to look for the file itself: then ``seen`` has the size and the time of change that it must have
    there.
    ``attempts`` are those of other nodes.
    """

    id: int
    model: str
    task: str
    frame: bytes
    timeout_s: float | None
    priority: int
    audio: int | None
    seen: tuple[int, int] | None
    attempts: tuple[Attempt, ...]


class Opened(NamedTuple):
    """A node's pool stands. ``models`` are those whose files it has."""

    models: frozenset[str]
    workers: int
    pid: int


class Started(NamedTuple):
    """A worker begins with a job, or begins again after a death; then ``attempts`` are those so far."""

    id: int
    attempts: tuple[Attempt, ...]


class TextCame(NamedTuple):
    """A piece of a running job's text."""

    id: int
    chunk: Chunk


class ErrorFacts(NamedTuple):
    """An exception of ours, taken apart."""

    name: str
    args: tuple[Any, ...]
    facts: dict[str, Any]


class Ended(NamedTuple):
    """A job is over on its node: ``error``, or else ``value``."""

    id: int
    value: Any = None
    error: ErrorFacts | None = None


class Absent(NamedTuple):
    """The audio of a job is not where the driver has it: send it along."""

    id: int


class Loaded(NamedTuple):
    """These models are in the memory of the node's workers now."""

    models: frozenset[str]


class Finished(NamedTuple):
    """The node's pool is closed; its last counts."""

    stats: PoolStats


NodeEvent = Opened | Started | TextCame | Ended | Absent | Loaded | Finished


def take_apart(error: BaseException) -> ErrorFacts:
    """Return the facts of an exception; of one that is not ours, those of the :class:`JobError` that tells of it."""
    if not isinstance(error, OrchestratorError) or not hasattr(errors, type(error).__name__):
        told = "".join(traceback.format_exception(error))
        error = JobError(type(error).__name__, str(error), told)
    return ErrorFacts(type(error).__name__, error.args, dict(vars(error)))


def put_together(facts: ErrorFacts) -> OrchestratorError:
    """Return an exception of the same class with the same text and attributes."""
    kind: type[OrchestratorError] = getattr(errors, facts.name)
    error = kind.__new__(kind)
    error.args = facts.args
    vars(error).update(facts.facts)
    return error


def with_node(value: Any, node: str, waited_s: float) -> Any:
    """Return a result that says which node it is from and how long its job waited in all."""
    if not isinstance(value, msgspec.Struct) or not hasattr(value, "worker"):
        return value
    found: Any = value
    tag = NodeWorkerTag(
        slot=found.worker.slot,
        generation=found.worker.generation,
        pid=found.worker.pid,
        model=found.worker.model,
        node=node,
    )
    timings = msgspec.structs.replace(found.timings, waited_s=waited_s)
    return msgspec.structs.replace(found, worker=tag, timings=timings)

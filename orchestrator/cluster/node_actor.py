"""A node's side: an actor that holds a :class:`~orchestrator.pool.pool.Pool` with the node's own memory budget.

Workers are isolated, measured and recycled here, next to their memory. The actor takes orders, and what happens to
them waits in its outbox until the driver's next ``poll``, which takes all of it at once.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from orchestrator.cluster.wire import (
    Absent,
    Ended,
    Finished,
    Loaded,
    NodeEvent,
    Opened,
    Order,
    Started,
    TextCame,
    take_apart,
)
from orchestrator.errors import EngineUnavailableError, JobCancelledError
from orchestrator.pool.core.entities import JobRecord
from orchestrator.pool.events import PoolEvent, WorkerLeft, WorkerLoaded
from orchestrator.pool.futures import JobController, JobFuture
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator.pool.stats import PoolStats
from orchestrator.pool.submission.payload import Payload
from orchestrator.process.host.cores import default_workers
from orchestrator.process.sharing.own_memory import own_sealed_memory
from orchestrator.process.uninterrupted import OwnDescriptor
from orchestrator_worker import protocol
from orchestrator_worker.framing import HEADER_SIZE, frame

GROUPS = {"take": 1, "tell": 1, "look": 2}
"""The actor's threads: jobs and cancels keep their order, polls and looks wait for nobody."""
POLL_S = 1.0
"""How long a poll waits for something to tell: shorter than the driver waits for a sign of life."""
MOST_EVENTS = 4096
NODE_QUEUE = 1_000_000
"""The driver bounds what a node has; the node's own bound must never be what a job waits for."""
_runs = msgspec.msgpack.Decoder(protocol.Run)
_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What a node's pool is made from. ``host_path`` is the driver's ``sys.path``.

    Of so many models as ``standby_models`` each worker may have one that stands by.
    """

    models: tuple[Model, ...]
    workers: int | None
    memory_budget: int | str | None
    hard_budget: bool
    standby_models: int
    exclusive: bool
    recycle: Recycle | Literal["auto"] | None
    retry: Retry
    max_value: int
    heartbeat_s: float | None
    start_timeout_s: float
    host_path: tuple[str, ...]
    python: str | None = None
    pass_env: tuple[str, ...] = ()


F = TypeVar("F", bound=Callable[..., Any])


def _in_group(name: str) -> Callable[[F], F]:
    """Say which of :data:`GROUPS` runs a method. Ray reads it off the class, behind its client too."""
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        return lambda method: method  # a RayPool will say so when it is made
    mark: Callable[[F], F] = ray.method(concurrency_group=name)
    return mark


class NodeActor:
    """One for each node. What its methods do is done in their concurrency groups."""

    def __init__(self, settings: NodeSettings) -> None:
        known = set(sys.path)
        sys.path += [path for path in settings.host_path if path not in known and Path(path).is_dir()]
        self._outbox = Outbox()
        self._loaded: dict[tuple[int, int], str] = {}
        self._futures: dict[int, NodeFuture] = {}
        self._workers = settings.workers or default_workers()
        self._pool = NodePool(
            models=[model for model in settings.models if is_here(model)],
            workers=self._workers,
            memory_budget=settings.memory_budget,
            hard_budget=settings.hard_budget,
            standby=settings.standby_models * self._workers,
            exclusive=settings.exclusive,
            recycle=settings.recycle,
            max_queue=NODE_QUEUE,
            max_attempts=settings.retry,
            max_value=settings.max_value,
            heartbeat_s=settings.heartbeat_s,
            start_timeout_s=settings.start_timeout_s,
            on_event=self._heard,
            python=settings.python,
            pass_env=settings.pass_env,
        )

    @_in_group("tell")
    def open(self) -> Opened:
        """Say what this node has."""
        return Opened(frozenset(model.name for model in self._pool.models), self._workers, os.getpid())

    @_in_group("take")
    def take(self, orders: Sequence[Order], *audio: Any) -> None:
        """Queue jobs in their order. What is wrong with one is its end and not the others'."""
        for order in orders:
            try:
                self._take(order, None if order.audio is None else audio[order.audio])
            except Exception as error:  # noqa: BLE001 - the driver must hear of each job
                self._futures.pop(order.id, None)
                self._outbox.put(Ended(order.id, error=take_apart(error)))

    def _take(self, order: Order, audio: Any) -> None:
        body, memory = order.frame, None
        if order.seen is not None and not _is_there(order):
            self._outbox.put(Absent(order.id))
            return
        if audio is not None:
            body, memory = _with_audio(order, audio)
        future = NodeFuture(order, self._outbox.put)
        self._futures[order.id] = future
        future.add_done_callback(lambda _: self._ended(order.id, future))
        self._pool.take(order, Payload(order.id, order.model, order.task, body, memory), future)

    @_in_group("take")
    def cancel(self, numbers: Sequence[int]) -> None:
        """Stop jobs, running or not."""
        for number in numbers:
            if (future := self._futures.get(number)) is not None:
                future.cancel()

    @_in_group("tell")
    def poll(self) -> list[NodeEvent]:
        """Return what happened since the last call; waits for it a while."""
        return self._outbox.take(POLL_S)

    @_in_group("look")
    def look(self) -> PoolStats:
        """Return the pool's present statistics."""
        return self._pool.stats()

    @_in_group("look")
    def finish(self, *, drop: bool) -> None:
        """Close the pool, or with ``drop`` stop it; its last counts come by :meth:`poll`."""
        if drop:
            self._pool.stop()
        else:
            self._pool.close()
        self._outbox.put(Finished(self._pool.stats()))

    def _ended(self, number: int, future: NodeFuture) -> None:
        self._futures.pop(number, None)
        if future.cancelled():
            self._outbox.put(Ended(number, error=take_apart(JobCancelledError("the job was cancelled"))))
        elif (error := future.exception()) is not None:
            self._outbox.put(Ended(number, error=take_apart(error)))
        else:
            self._outbox.put(Ended(number, future.result()))

    def _heard(self, event: PoolEvent) -> None:
        """Keep the driver's picture of what is in memory here."""
        match event:
            case WorkerLoaded():
                self._loaded[event.slot, event.generation] = event.model
            case WorkerLeft():
                self._loaded.pop((event.slot, event.generation), None)
            case _:
                return
        self._outbox.put(Loaded(frozenset(self._loaded.values())))


class Outbox:
    """What the driver has yet to hear, in order."""

    def __init__(self) -> None:
        self._events: deque[NodeEvent] = deque()
        self._came = threading.Condition()

    def put(self, event: NodeEvent) -> None:
        """Add something; never blocks."""
        with self._came:
            self._events.append(event)
            self._came.notify()

    def take(self, timeout_s: float) -> list[NodeEvent]:
        """Return all there is, waiting at most ``timeout_s`` seconds for the first."""
        with self._came:
            self._came.wait_for(lambda: self._events, timeout_s)
            return [self._events.popleft() for _ in range(min(len(self._events), MOST_EVENTS))]


class NodePool(Pool):
    """A pool that takes jobs as the driver has encoded them."""

    def take(self, order: Order, payload: Payload, future: NodeFuture) -> None:
        """Queue a job that is checked already.

        Raises:
            EngineUnavailableError: This node has not the model.
        """
        if order.model not in self._controller.models:
            if payload.descriptor is not None:
                payload.descriptor.close()
            raise EngineUnavailableError(
                f"this node has not the model {order.model!r}", "copy its file there"
            )
        self._controller.enter(payload, block=True, timeout_s=None)
        self._controller.submit(
            payload, future, timeout_s=order.timeout_s, queue_timeout_s=None, priority=order.priority
        )


class NodeFuture(JobFuture[Any]):
    """Tells the driver what becomes of its job."""

    def __init__(self, order: Order, tell: Callable[[NodeEvent], None]) -> None:
        super().__init__()
        self._order = order
        self._tell = tell

    def bind(self, record: JobRecord, controller: JobController) -> None:
        """Tie the future to its job, which has the attempts of other nodes behind it."""
        record.attempts = self._order.attempts
        super().bind(record, controller)

    def begin(self) -> bool:
        """Work starts, for the first time or again."""
        record = self._record
        begun = super().begin()
        if begun:
            self._tell(Started(self._order.id, () if record is None else record.attempts))
        return begun

    def add_chunk(self, chunk: protocol.Chunk) -> int:
        """Pass a piece of text on."""
        self._tell(TextCame(self._order.id, chunk))
        return 0


def is_here(model: Model) -> bool:
    """Whether this machine has the files of a model."""
    return all(path is None or Path(path).exists() for path in (model.file, model.library))


def _is_there(order: Order) -> bool:
    audio = _runs.decode(order.frame[HEADER_SIZE:]).job.audio
    assert audio is not None
    try:
        found = Path(audio.path).stat()
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) == order.seen


def _with_audio(order: Order, content: Any) -> tuple[bytes, OwnDescriptor]:
    """Return the frame that names a memfd of this process with the audio in it, and that.

    Large arguments of a function are named by nothing: the pool passes the descriptor with their job.
    """
    run = _runs.decode(order.frame[HEADER_SIZE:])
    if run.job.audio is None:
        return order.frame, own_sealed_memory("orchestrator-arguments", [content])
    memory = own_sealed_memory("orchestrator-audio", [content])
    try:
        there = msgspec.structs.replace(run.job.audio, path=f"/proc/{os.getpid()}/fd/{memory.number}")
        job = msgspec.structs.replace(run.job, audio=there)
        return bytes(frame(msgspec.structs.replace(run, job=job), _encoder)), memory
    except BaseException:
        memory.close()
        raise

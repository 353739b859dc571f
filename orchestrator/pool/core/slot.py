"""A slot of the pool and the workers in it. Facts only; the supervisor alone changes them.

A slot has room for one worker in use. While that is being replaced there is also its ``successor``, which
loads or stands ready as a reserve; a worker told to go is in no slot any more, but in the registry's ``leaving``
until it is confirmed gone.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from orchestrator.pool.core.growth_model import Trace
from orchestrator.pool.core.states import WORKER_TRANSITIONS, ExitReason, WorkerEvent, WorkerState, next_state
from orchestrator.pool.recycling import Limits
from orchestrator_worker.protocol import Command

if TYPE_CHECKING:
    from orchestrator.pool.core.job import JobRecord
    from orchestrator.pool.core.model_queue import ModelQueue

SERIES_LENGTH = 3000
"""Readings kept per slot: a minute at 20 ms."""


class Link(Protocol):
    """What the supervisor can do to one process. No call blocks."""

    @property
    def pid(self) -> int:
        """The process's number."""
        ...

    @property
    def start(self) -> str:
        """How the process began: ``exec`` or ``fork``."""
        ...

    def send(self, command: Command) -> None:
        """Send a command. Nothing happens to the dead."""
        ...

    def send_frame(self, frame: bytes) -> None:
        """Send an encoded command, or several."""
        ...

    def recall(self, sizes: Sequence[int]) -> int:
        """Recall frames that were sent last, of these ``sizes``, oldest first; return how many were not begun."""
        ...

    @property
    def full(self) -> bool:
        """Whether something waits for room in the pipe."""
        ...

    def signal(self, number: int) -> None:
        """Signal the process and its group."""
        ...

    def read_rss(self) -> int:
        """Return the resident bytes now, 0 when the process is gone."""
        ...

    def stderr_tail(self) -> str:
        """Return what it printed last."""
        ...


class Sample(NamedTuple):
    """One reading of a slot's memory. ``at_s`` is the pool's monotonic clock, ``job`` the job's number or None."""

    at_s: float
    rss_bytes: int
    generation: int
    state: str
    job: int | None


class Worker:
    """One process: a generation of a slot, with one model."""

    __slots__ = (
        "__weakref__",
        "cancel_reason",
        "cause",
        "dismissed_for",
        "generation",
        "idle_since",
        "job",
        "jobs",
        "jobs_since_trim",
        "last_used",
        "limits",
        "link",
        "model_queue",
        "overtaken",
        "peak_bytes",
        "prefetch_is_fixed",
        "prefetched",
        "ready_at",
        "rss_bytes",
        "rung",
        "slot",
        "started_at",
        "state",
        "trace",
    )

    link: Link

    def __init__(
        self, slot: Slot, generation: int, model_queue: ModelQueue, limits: Limits, now: float
    ) -> None:
        self.slot = slot
        self.generation = generation
        self.model_queue = model_queue
        self.limits = limits
        self.state = WorkerState.STARTING
        self.job: JobRecord | None = None
        self.prefetched: deque[JobRecord] = deque()
        """Jobs in its pipe, in this order, behind ``job``."""
        self.prefetch_is_fixed = False
        """Whether other commands were sent behind the prefetched jobs: then none can be recalled or added."""
        self.started_at = now
        self.ready_at: float | None = None
        self.idle_since = now
        self.last_used = now
        self.jobs = 0
        self.jobs_since_trim = 0
        self.overtaken = 0
        self.rss_bytes = 0
        self.peak_bytes = 0
        self.dismissed_for: ExitReason | None = None
        self.cause = ""
        """In words why it was dismissed, where the exit status alone would not tell."""
        self.cancel_reason = ExitReason.CANCEL
        """Why the engine was asked to give up: what the exit counts as if it does not."""
        self.rung = 0
        self.trace: Trace | None = None
        """Its memory job by job, where its model is recycled by what is learnt."""

    def move(self, event: WorkerEvent) -> None:
        """Change the state as the table says."""
        self.state = WORKER_TRANSITIONS.get((self.state, event)) or next_state(self.state, event)

    def saw_rss(self, rss_bytes: int) -> None:
        """Take a reading."""
        self.rss_bytes = rss_bytes
        self.peak_bytes = max(self.peak_bytes, rss_bytes)
        if self.trace is not None:
            self.trace.saw(rss_bytes)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.link.pid


class Slot:
    """One place for a worker in use."""

    __slots__ = (
        "exits",
        "generation",
        "index",
        "jobs",
        "keep",
        "peak_bytes",
        "series",
        "successor",
        "worker",
    )

    def __init__(self, index: int) -> None:
        self.index = index
        self.generation = 0
        self.worker: Worker | None = None
        self.successor: Worker | None = None
        self.keep: ModelQueue | None = None
        """The model to be loaded here again although no job waits for it."""
        self.exits: Counter[str] = Counter()
        self.jobs = 0
        self.peak_bytes = 0
        self.series: deque[Sample] = deque(maxlen=SERIES_LENGTH)

    def detach(self, worker: Worker) -> Worker | None:
        """Take ``worker`` out of the slot; return its successor if that took its place."""
        if worker is self.successor:
            self.successor = None
        elif worker is self.worker:
            self.worker, self.successor = self.successor, None
            return self.worker
        return None

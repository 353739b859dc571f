"""The entities of a pool: job, worker, slot and model queue. Facts only; the supervisor alone changes them.

They refer to each other, which is why they share a file::

    JobRecord ── model_queue ──▶ ModelQueue ── workers, idle ──▶ Worker ── slot ──▶ Slot
        ▲                             │ waiting                   │
        └─────────────────────────────┴──── job, prefetched ──────┘

A slot has room for one worker in use. While that is being replaced there is also its ``successor``, which loads or
stands ready as a reserve. A worker that was told to go is in no slot any more, but in the registry's ``leaving`` until
its process is confirmed gone.

A model whose workers are started warm has a ``Template``, from which they are forked.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import NamedTuple

import msgspec

from orchestrator.errors import Attempt, ModelOutOfUseError
from orchestrator.pool.core.interfaces import Link, Memory, Promise, TemplateLink
from orchestrator.pool.core.job_queue import JobQueue
from orchestrator.pool.core.memory_budget import first_guess, learnt_need
from orchestrator.pool.core.recycling.growth_model import Learner, Trace
from orchestrator.pool.core.recycling.rules import Limits
from orchestrator.pool.core.restart_limit import RestartLimit, Rests
from orchestrator.pool.core.states import (
    JOB_TRANSITIONS,
    WORKER_TRANSITIONS,
    ExitReason,
    JobEvent,
    JobState,
    WorkerEvent,
    WorkerState,
    next_job_state,
    next_state,
)
from orchestrator.pool.models import Model

_WITHOUT_MODEL = {WorkerState.STARTING, WorkerState.LOADING, WorkerState.LEAVING, WorkerState.GONE}
SERIES_LENGTH = 3000
"""Readings kept per slot: a minute at 20 ms."""
WEIGHT_OF_THE_NEWEST = 0.2
"""In the moving means of how long starts and jobs take."""


class JobRecord(msgspec.Struct, eq=False):
    """A job between submit and end. Times are seconds of the supervisor's clock.

    ``spared`` counts the times it was given again although no attempt was counted.
    """

    id: int
    """Its number in this process, in the order of submission. On the wire it has ``ticket``."""
    task: str
    frame: bytes
    descriptor: Memory | None
    model_queue: ModelQueue
    promise: Promise
    timeout_s: float | None = None
    queue_timeout_s: float | None = None
    priority: int = 0
    submitted_at: float = 0.0
    started_at: float = 0.0
    first_started_at: float | None = None
    state: JobState = JobState.WAITING
    attempts: tuple[Attempt, ...] = ()
    spared: int = 0
    worker: Worker | None = None
    ticket: int = 0
    """Its id on the wire: a new one for each worker that it is given to, which knows it once it has read the job."""

    @property
    def brings_values(self) -> bool:
        """Whether its descriptor has the arguments of a function, which the worker is passed with it."""
        return self.descriptor is not None and not self.model_queue.hears

    def move(self, event: JobEvent) -> None:
        """Change the state as the table says."""
        self.state = JOB_TRANSITIONS.get((self.state, event)) or next_job_state(self.state, event)


class Sample(NamedTuple):
    """One reading of a slot's memory. ``at_s`` is the pool's monotonic clock, ``job`` the job's number or None."""

    at_s: float
    rss_bytes: int
    generation: int
    state: str
    job: int | None


class Template:
    """A process that has loaded a model, and from which workers with that model are forked."""

    __slots__ = (
        "link", "loaded_bytes", "model_queue", "proven", "ready_at", "retired", "rss_bytes",
        "started_at", "workers",
    )  # fmt: skip

    link: TemplateLink

    def __init__(self, model_queue: ModelQueue, now: float) -> None:
        self.model_queue = model_queue
        self.started_at = now
        self.ready_at: float | None = None
        """When it had loaded; None before."""
        self.retired = False
        """Whether nothing is forked from it any more."""
        self.proven = False
        """Whether a worker of it has answered a job."""
        self.workers = 0
        """How many of its workers are not confirmed gone."""
        self.loaded_bytes = self.rss_bytes = 0


class Worker:
    """One process: a generation of a slot, with one model."""

    __slots__ = (
        "__weakref__", "cancel_reason", "cause", "dismissed_for", "generation", "hung_up",
        "idle_since", "job", "jobs", "jobs_since_trim", "last_used", "limits", "link",
        "model_queue", "overtaken", "paused", "peak_bytes", "prefetch_is_fixed", "prefetched",
        "pulse", "ready_at", "rss_bytes", "rung", "slot", "spares_job", "started_at", "state",
        "template", "ticket", "trace",
    )  # fmt: skip

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
        self.spares_job = False
        """Whether it was killed for what is not its job's doing: the job is given again, and no attempt is counted."""
        self.pulse: Pulse | None = None
        """What was seen of its heartbeat last, where that is watched."""
        self.paused = False
        """Whether its replies are not read, because more of its text waits for a reader than may."""
        self.hung_up: HungUp | None = None
        """Set once it has closed its end of a pipe."""
        self.template: Template | None = None
        """What it was forked from with its model loaded; None: it loads by itself."""
        self.ticket = 0
        """The id of the command, no job, that it has to answer."""
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


class Pulse:
    """A worker's heartbeat as it was seen last: since when it has not changed, and at how many looks."""

    __slots__ = ("count", "look_at", "looks", "since")

    def __init__(self, count: int, now: float) -> None:
        self.count = count
        self.since = now
        self.looks = 0
        self.look_at = now


class HungUp:
    """The deadline by which a worker that has closed its end of a pipe must be gone. Besides its other one."""

    __slots__ = ("worker",)

    def __init__(self, worker: Worker) -> None:
        self.worker = worker


class Slot:
    """One place for a worker in use."""

    __slots__ = (
        "exits", "generation", "index", "jobs", "keep", "peak_bytes", "series", "successor",
        "worker",
    )  # fmt: skip

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


class ModelQueue:
    """One model's queue, its workers and what was learnt of it."""

    __slots__ = (
        "cause", "cold_because", "engine_s", "exits", "half_open", "idle", "job_s", "learner",
        "measured_bytes", "model", "out_of_use", "recycled_as", "restart_limit", "rests", "said_warm", "spec",
        "start_s", "template", "template_limit", "waiting", "warm_bytes", "workers",
    )  # fmt: skip

    def __init__(self, model: Model, recycled_as: str | None = None) -> None:
        """``recycled_as`` names the model whose limits count; None: its own."""
        self.model = model
        self.recycled_as = recycled_as or model.name
        self.spec = model.spec()
        self.waiting = JobQueue[JobRecord]()
        self.idle: dict[Worker, None] = {}
        """Workers that can be given a job now, least recently used first."""
        self.workers: set[Worker] = set()
        """Workers in a slot, successors not counted."""
        self.restart_limit = RestartLimit()
        self.rests = Rests()
        self.out_of_use: ModelOutOfUseError | None = None
        """Why no worker of it is started any more."""
        self.half_open = False
        """Whether one is, all the same, to see whether that still holds."""
        self.cause: BaseException | None = None
        self.exits: Counter[str] = Counter()
        self.measured_bytes = 0
        self.start_s: float | None = None
        self.job_s: float | None = None
        self.engine_s = math.inf
        self.cold_because: str | None = ""
        """Why its workers are started cold; empty where nobody asked for anything else. None: they are started warm."""
        self.template: Template | None = None
        """What they are forked from, once that is started."""
        self.said_warm = False
        self.template_limit = RestartLimit()
        self.warm_bytes = 0
        """The most that a forked worker had for itself alone, after its start and its first job."""
        self.learner: Learner | None = None
        """What its workers have shown of its growth, where it is recycled by that."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def hears(self) -> bool:
        """Whether its jobs may have audio. A confined worker is passed that as a descriptor, job by job."""
        return self.model.engine != "function"

    @property
    def serves(self) -> bool:
        """Whether a worker of it has its model loaded."""
        return any(worker.state not in _WITHOUT_MODEL for worker in self.workers)

    @property
    def refuses(self) -> bool:
        """Whether its jobs have nothing to wait for."""
        return self.out_of_use is not None and not self.half_open and not self.serves

    @property
    def wants_template(self) -> bool:
        """Whether a template is to be started before the next worker."""
        return self.cold_because is None and self.template is None

    @property
    def template_loads(self) -> bool:
        """Whether its workers wait for a template to have loaded."""
        return self.template is not None and self.template.ready_at is None

    def may_start(self) -> bool:
        """Whether one more worker may be started: of a model that is out of use one at a time, to try.

        While its template loads they wait for that.
        """
        if self.template_loads:
            return False
        if self.out_of_use is None:
            return True
        return self.half_open and not any(worker.state in _WITHOUT_MODEL for worker in self.workers)

    def need_bytes(self, budget_bytes: int) -> int:
        """Return what a worker of this model needs, measured or a first guess: of a warm one what is its own."""
        if self.template is None:
            return self.cold_need_bytes(budget_bytes)
        return learnt_need(self.warm_bytes, budget_bytes)

    def cold_need_bytes(self, budget_bytes: int) -> int:
        """Return what one that loads the model needs, be it a template."""
        if self.measured_bytes:
            return learnt_need(self.measured_bytes, budget_bytes)
        return first_guess(self.model.file_bytes())

    def learn_start(self, seconds: float) -> None:
        """Note how long a worker took from spawn to loaded."""
        known = self.start_s
        self.start_s = seconds if known is None else known + WEIGHT_OF_THE_NEWEST * (seconds - known)

    def learn_job(self, seconds: float, engine_s: float) -> None:
        """Note how long a job took, from the moment it was begun to its answer, and what the engine says of that."""
        known, engine = self.job_s, self.engine_s
        if known is None:
            self.job_s, self.engine_s = seconds, engine_s
        else:
            self.job_s = known + WEIGHT_OF_THE_NEWEST * (seconds - known)
            self.engine_s = engine + WEIGHT_OF_THE_NEWEST * (engine_s - engine)

    def learn_memory(self, worker: Worker, peak_bytes: int) -> None:
        """Note the peak of a worker's load and of its first job."""
        if worker.template is None:
            self.measured_bytes = max(self.measured_bytes, peak_bytes)
        else:
            self.warm_bytes = max(self.warm_bytes, peak_bytes)

    def refusal(self) -> ModelOutOfUseError:
        """Return the error for one more job of a model that is out of use; each caller gets its own."""
        known = self.out_of_use
        assert known is not None
        error = ModelOutOfUseError(known.model, known.why, known.evidence)
        error.__cause__ = self.cause
        return error

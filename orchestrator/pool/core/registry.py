"""The state of one pool: its slots, model queues, reservations and timers. The supervisor's parts share it.

It keeps the state consistent (which worker is where, what it holds) and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from orchestrator.pool.core.entities import (
    HungUp,
    JobRecord,
    ModelQueue,
    Slot,
    Template,
    Worker,
)
from orchestrator.pool.core.interfaces import Link, TemplateLink
from orchestrator.pool.core.memory_budget import Budget
from orchestrator.pool.core.recycling.growth_model import Learner
from orchestrator.pool.core.recycling.rules import NO_LIMITS, next_check_s
from orchestrator.pool.core.restart_limit import StartPause
from orchestrator.pool.core.states import WorkerState
from orchestrator.pool.core.timers import Timers
from orchestrator.pool.events import PoolEvent
from orchestrator.pool.metrics import Metrics
from orchestrator.pool.models import Model
from orchestrator.pool.options import Settings
from orchestrator_worker.protocol import Reply


class Effects(Protocol):
    """Side effects that the supervisor needs. Tests replace them by a fake."""

    def spawn(self, worker: Worker) -> Link:
        """Start a process for ``worker``; replies come to the supervisor.

        Raises:
            HostShortageError: The system has nothing left for one more process.
            SpawnError: It refused for another reason.
        """
        ...

    def why_cold(self, model: Model) -> str | None:
        """Return why workers of a model are started cold without a try, empty where nobody asked for another start.

        None: a template is to be tried.
        """
        ...

    def start_template(self, template: Template) -> TemplateLink:
        """Start the process of a template; what it says comes to the supervisor.

        Raises:
            HostShortageError: The system has nothing left for one more process.
            SpawnError: It refused for another reason.
        """
        ...

    def warn(self, text: str) -> None:
        """Write something into the log that somebody should know."""
        ...

    def note(self, text: str) -> None:
        """Write something into the log for who looks for it."""
        ...

    def reap(self, worker: Worker) -> None:
        """Close everything that was kept of a process that has exited."""
        ...

    def kernel_killed(self) -> bool:
        """Whether the kernel's count of out-of-memory kills rose since the last call."""
        ...

    def gather_readings(self, now: float) -> None:
        """Have every link's readings up to now ready; called at each look at the workers."""
        ...

    def collect_readings(self) -> None:
        """The same out of turn."""
        ...

    def rest_readings(self) -> None:
        """Nobody works: nothing is to be read until :meth:`resume_readings`."""
        ...

    def resume_readings(self) -> None:
        """Somebody works again."""
        ...

    @property
    def sampled_by(self) -> str:
        """Who reads the workers' memory: ``process``, or ``loop``."""
        ...

    @property
    def missed_readings(self) -> int:
        """How many times nothing was read when it should have been."""
        ...

    @property
    def groups(self) -> str:
        """Whether workers with a hard limit have control groups of their own: ``own``, or ``none:`` and why."""
        ...

    def draw(self) -> float:
        """Return a random number from 0 to 1."""
        ...

    def draw_ticket(self) -> int:
        """Return an id for a command that nobody can guess."""
        ...

    def assign(self, job: JobRecord) -> None:
        """Give a job that is about to be sent such an id, in its record and in its frame."""
        ...

    def job_left_queue(self, job: JobRecord) -> None:
        """One job fewer waits for its first start: there is room for another."""
        ...

    def close_audio(self, job: JobRecord) -> None:
        """Close the descriptor of a job that ended."""
        ...

    @property
    def listening(self) -> bool:
        """Whether anybody wants events."""
        ...

    def tell(self, event: PoolEvent) -> None:
        """Hand an event to the hook."""
        ...


Touched = tuple[JobRecord | None, tuple[JobRecord, ...], Reply | None]
"""A worker before a decision changes it: its job, its prefetched jobs, and the reply that the decision is about. A
plain tuple, because one is made for every reply."""


class Registry:
    """All mutable state of one pool."""

    def __init__(self, models: Iterable[Model], settings: Settings, effects: Effects) -> None:
        self.settings = settings
        self.effects = effects
        self.slots = [Slot(index) for index in range(settings.workers + settings.standby)]
        self.model_queues: dict[str, ModelQueue] = {}
        self.templates: dict[Template, None] = {}
        """All that are not closed, also those from which nothing is forked any more."""
        for model in models:
            self.model_queues[model.name] = self._made_known(ModelQueue(model))
        self.budget = Budget(settings.budget_bytes)
        self.timers: Timers[Worker | JobRecord | HungUp | StartPause | Template] = Timers()
        self.start_pause = StartPause()
        self.leaving: dict[Worker, None] = {}
        self.queues_with_jobs: dict[ModelQueue, None] = {}
        """Model queues with at least one waiting job."""
        self.with_prefetched: dict[Worker, None] = {}
        """Workers that have prefetched jobs."""
        self.delayed: dict[JobRecord, None] = {}
        self.replan = True
        """Whether something changed that the scheduling must look at."""
        self.closing = False
        self.next_sample_at: float | None = None
        self.metrics = Metrics()
        self.touched: dict[Worker, Touched] = {}
        """Workers that the decision under way may have changed, as they were before."""
        self.in_hand: list[JobRecord] = []
        """Jobs that it may have moved: they may be in no queue and with no worker for a moment."""
        self.has_written = False
        """Whether it has begun to write jobs into the pipe of the worker touched last."""

    def workers(self) -> Iterator[Worker]:
        """Yield every worker in a slot, successors too."""
        for slot in self.slots:
            if slot.worker is not None:
                yield slot.worker
            if slot.successor is not None:
                yield slot.successor

    def jobs(self) -> Iterator[JobRecord]:
        """Yield every job that was handed in and has not ended; a few that have, too."""
        for worker in [*self.workers(), *self.leaving]:
            if worker.job is not None:
                yield worker.job
            yield from worker.prefetched
        for model_queue in self.model_queues.values():
            yield from model_queue.waiting.members()
        yield from self.delayed
        # In the middle of a decision a job may be in none of these places.
        yield from self.in_hand
        for job, prefetched, _ in self.touched.values():
            if job is not None:
                yield job
            yield from prefetched

    @property
    def all_at_work(self) -> bool:
        """Whether no further job may begin although a worker stands by."""
        if not self.settings.standby:
            return False
        at_work = {WorkerState.BUSY, WorkerState.CANCELLING}
        busy = sum(slot.worker is not None and slot.worker.state in at_work for slot in self.slots)
        return busy >= self.settings.workers

    @property
    def quiet(self) -> bool:
        """Whether no worker has anything to say: all stand idle."""
        if self.leaving:
            return False
        for slot in self.slots:
            if slot.successor is not None:
                return False
            if slot.worker is not None and slot.worker.state is not WorkerState.IDLE:
                return False
        return True

    # ------------------------------------------------------------------ the decision under way

    # Written down for :mod:`.recovery`, before anything is changed: what an interrupted decision was about.

    def new_decision(self) -> None:
        """A decision begins: nothing is touched yet."""
        self.touched.clear()
        self.in_hand.clear()

    def touch(self, worker: Worker, reply: Reply | None = None) -> None:
        """``worker`` is consistent now, and is changed next; by what it said, if it is that."""
        self.touched[worker] = (worker.job, tuple(worker.prefetched), reply)
        self.has_written = False

    def touch_once(self, worker: Worker) -> None:
        """As :meth:`touch`, unless this decision is in the middle of changing it."""
        if worker not in self.touched:
            self.touch(worker)

    # ------------------------------------------------------------------ jobs

    def _made_known(self, model_queue: ModelQueue) -> ModelQueue:
        model_queue.cold_because = self.effects.why_cold(model_queue.model)
        if model_queue.cold_because:
            self.say_cold(model_queue)
        return model_queue

    def say_cold(self, model_queue: ModelQueue, *, aloud: bool = False) -> None:
        """Write into the log why a model's workers are started cold; ``aloud``, and where warm ones were asked for."""
        say = self.effects.warn if aloud or model_queue.model.start == "warm" else self.effects.note
        say(f"model {model_queue.name}: its workers are started cold: {model_queue.cold_because}")

    def add(self, model_queue: ModelQueue) -> None:
        """Take a further instance of a model, made for its first job; begin to learn of it where that is wanted."""
        self.model_queues[model_queue.name] = self._made_known(model_queue)
        recycle = self.settings.recycle
        if recycle is not None and recycle.of(model_queue.recycled_as).auto:
            model_queue.learner = Learner(self.settings.workers)

    def enqueue(self, job: JobRecord, *, front: bool = False) -> None:
        """Add a waiting job to its model's queue."""
        model_queue = job.model_queue
        if model_queue.name not in self.model_queues:
            self.add(model_queue)
        if front:
            model_queue.waiting.push_front(job)
        else:
            model_queue.waiting.push(job)
        self.queues_with_jobs[model_queue] = None

    def take_next(self, model_queue: ModelQueue) -> JobRecord | None:
        """Take the next job out of a model's queue."""
        job = model_queue.waiting.head()
        if job is not None:
            self.in_hand.append(job)
            model_queue.waiting.remove_head(job)
        if not model_queue.waiting:
            self.queues_with_jobs.pop(model_queue, None)
        return job

    def left_while_waiting(self, job: JobRecord) -> None:
        """Note that a job ended in the queue."""
        job.model_queue.waiting.ended_while_waiting()
        if not job.model_queue.waiting:
            self.queues_with_jobs.pop(job.model_queue, None)

    # ------------------------------------------------------------------ workers

    def make_available(self, worker: Worker, now: float, idle_since: float | None = None) -> None:
        """An idle worker in use can be given jobs from now on, and is watched for age and idleness."""
        worker.idle_since = now if idle_since is None else idle_since
        worker.model_queue.idle[worker] = None
        if worker.limits is NO_LIMITS:
            return
        age_s, idle_s = now - worker.started_at, now - worker.idle_since
        wait_s = next_check_s(worker.limits, age_s=age_s, idle_s=idle_s)
        if wait_s is not None:
            self.timers.set(worker, now + wait_s)

    def remove(self, worker: Worker, now: float) -> None:
        """Take a worker out of its slot; a successor takes its place."""
        model_queue = worker.model_queue
        model_queue.idle.pop(worker, None)
        model_queue.workers.discard(worker)
        self.timers.clear(worker)
        promoted = worker.slot.detach(worker)
        if promoted is not None:
            promoted.model_queue.workers.add(promoted)
            if promoted.state is WorkerState.IDLE:
                self.make_available(promoted, now)
        self.replan = True

    def sample_soon(self, now: float) -> None:
        """Begin to read memory, unless that goes on already."""
        if self.next_sample_at is None:
            self.next_sample_at = now + self.settings.sample_interval_s
            self.effects.resume_readings()  # now: this process may not come to its next look for long

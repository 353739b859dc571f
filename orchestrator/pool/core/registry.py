"""Who is there: slots, lanes, reservations and deadlines of one pool. The supervisor's parts share it.

It keeps the books straight (which worker is where, what it holds) and decides nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Protocol

from orchestrator.pool.core.histogram import Histogram
from orchestrator.pool.core.job import JobRecord
from orchestrator.pool.core.memory_budget import Budget
from orchestrator.pool.core.model_queue import Lane
from orchestrator.pool.core.settings import Settings
from orchestrator.pool.core.slot import Link, Slot, Worker
from orchestrator.pool.core.states import WorkerState
from orchestrator.pool.core.timers import Deadlines
from orchestrator.pool.events import PoolEvent
from orchestrator.pool.models import Model
from orchestrator.pool.recycling import NO_LIMITS, next_check_s

LATENCIES_KEPT = 1024


class Hands(Protocol):
    """What the supervisor cannot do by thinking. Replaced by a fake in its tests."""

    def spawn(self, worker: Worker) -> Link:
        """Start a process for ``worker``; replies come to the supervisor.

        Raises:
            SpawnError: The system refused.
        """
        ...

    def bury(self, worker: Worker) -> None:
        """Close everything that was kept of a process that is gone."""
        ...

    def kernel_killed(self) -> bool:
        """Whether the kernel's count of out-of-memory kills rose since the last call."""
        ...

    def draw(self) -> float:
        """Return a random number from 0 to 1."""
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


class Tally:
    """Counts of the pool's life."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()  # (task, outcome)
        self.spawns = 0
        self.evictions = 0
        self.retries = 0
        self.overshoot_peak_bytes = 0
        self.waits_s: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.runs_s: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.wait_durations = Histogram()
        self.run_durations = Histogram()
        self.load_durations = Histogram()

    def count(self, task: str, outcome: str, waited_s: float, run_s: float | None) -> None:
        """Count a job that ended; ``run_s`` is None when it never began."""
        self.outcomes[task, outcome] += 1
        self.waits_s.append(waited_s)
        self.wait_durations.add(waited_s)
        if run_s is not None:
            self.runs_s.append(run_s)
            self.run_durations.add(run_s)


class Roster:
    """The books."""

    def __init__(self, models: Iterable[Model], settings: Settings, hands: Hands) -> None:
        self.settings = settings
        self.hands = hands
        self.slots = [Slot(index) for index in range(settings.workers)]
        self.lanes = {model.name: Lane(model) for model in models}
        self.budget = Budget(settings.budget_bytes)
        self.deadlines: Deadlines[Worker | JobRecord] = Deadlines()
        self.leaving: dict[Worker, None] = {}
        self.lanes_waiting: dict[Lane, None] = {}
        """Lanes with at least one waiting job."""
        self.with_line: dict[Worker, None] = {}
        """Workers that have jobs in line."""
        self.delayed: dict[JobRecord, None] = {}
        self.replan = True
        """Whether something changed that the scheduling must look at."""
        self.closing = False
        self.next_sample_at: float | None = None
        self.tally = Tally()

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
            yield from worker.line
        for lane in self.lanes.values():
            yield from lane.waiting.members()
        yield from self.delayed

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

    # ------------------------------------------------------------------ jobs

    def enqueue(self, job: JobRecord, *, front: bool = False) -> None:
        """Put a waiting job into its lane."""
        lane = job.lane
        if front:
            lane.waiting.push_front(job)
        else:
            lane.waiting.push(job)
        self.lanes_waiting[lane] = None

    def take_next(self, lane: Lane) -> JobRecord | None:
        """Take the lane's next job out of its queue."""
        job = lane.waiting.pop()
        if not lane.waiting:
            self.lanes_waiting.pop(lane, None)
        return job

    def left_while_waiting(self, job: JobRecord) -> None:
        """Note that a job ended in the queue."""
        job.lane.waiting.ended_while_waiting()
        if not job.lane.waiting:
            self.lanes_waiting.pop(job.lane, None)

    # ------------------------------------------------------------------ workers

    def make_available(self, worker: Worker, now: float, idle_since: float | None = None) -> None:
        """An idle worker in use can be given jobs from now on, and is watched for age and idleness."""
        worker.idle_since = now if idle_since is None else idle_since
        worker.lane.idle[worker] = None
        if worker.limits is NO_LIMITS:
            return
        age_s, idle_s = now - worker.started_at, now - worker.idle_since
        wait_s = next_check_s(worker.limits, age_s=age_s, idle_s=idle_s)
        if wait_s is not None:
            self.deadlines.set(worker, now + wait_s)

    def remove(self, worker: Worker, now: float) -> None:
        """Take a worker out of its slot; a successor takes its place."""
        lane = worker.lane
        lane.idle.pop(worker, None)
        lane.workers.discard(worker)
        self.deadlines.clear(worker)
        promoted = worker.slot.detach(worker)
        if promoted is not None:
            promoted.lane.workers.add(promoted)
            if promoted.state is WorkerState.IDLE:
                self.make_available(promoted, now)
        self.replan = True

    def sample_soon(self, now: float) -> None:
        """Begin to read memory, unless that goes on already."""
        if self.next_sample_at is None:
            self.next_sample_at = now + self.settings.sample_interval_s

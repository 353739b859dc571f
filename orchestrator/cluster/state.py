"""The driver's state: jobs, the nodes they are on, and the queue. Only the dispatcher writes here."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from orchestrator.errors import Attempt
from orchestrator.pool.core.interfaces import Promise
from orchestrator.pool.core.states import JobEvent, JobState, next_job_state
from orchestrator.pool.stats import PoolStats
from orchestrator.pool.submission.payload import Payload


class Link(Protocol):
    """What the dispatcher needs of a node's driver side; nothing of it blocks."""

    def send(self, job: ClusterJob) -> None:
        """Let the node have a job."""
        ...

    def cancel(self, number: int) -> None:
        """Let the node stop a job."""
        ...

    def finish(self, *, drop: bool) -> None:
        """Let the node close its pool, or stop it, and go."""
        ...

    def abandon(self) -> None:
        """Kill the node's actor."""
        ...


class ClusterJob:
    """A job between submit and end. Times are seconds of the driver's clock.

    ``shown`` counts the characters of its text that the caller has seen, ``moves`` the nodes that were lost under it
    before it had started there; ``carry`` is off while its audio is thought to be on the node.
    """

    __slots__ = (
        "attempts",
        "carry",
        "first_started_at",
        "has_audio",
        "moves",
        "node",
        "payload",
        "priority",
        "promise",
        "queue_timeout_s",
        "sequence",
        "shown",
        "started_at",
        "state",
        "submitted_at",
        "timeout_s",
    )

    def __init__(
        self,
        payload: Payload,
        promise: Promise,
        *,
        has_audio: bool = False,
        carry: bool = True,
        timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        priority: int = 0,
    ) -> None:
        self.payload = payload
        self.promise = promise
        self.has_audio = has_audio
        self.carry = carry
        self.timeout_s = timeout_s
        self.queue_timeout_s = queue_timeout_s
        self.priority = priority
        self.sequence = 0
        self.submitted_at = 0.0
        self.started_at = 0.0
        self.first_started_at: float | None = None
        self.state = JobState.WAITING
        self.attempts: tuple[Attempt, ...] = ()
        self.moves = 0
        self.shown = 0
        self.node: Node | None = None

    @property
    def id(self) -> int:
        """Number of the job in its process."""
        return self.payload.id

    def move(self, event: JobEvent) -> None:
        """Change the state as the pool's own table says."""
        self.state = next_job_state(self.state, event)


class Node:
    """One life of a node's actor. A node whose actor is started anew is another one."""

    def __init__(self, node_id: str, name: str, link: Link) -> None:
        self.id = node_id
        self.name = name
        self.link = link
        self.state = "starting"
        self.cause = ""
        self.workers = 1
        self.holds: frozenset[str] = frozenset()
        self.loaded: frozenset[str] = frozenset()
        self.jobs: dict[int, ClusterJob] = {}
        self.given: Counter[int] = Counter()
        self.mean_s: float | None = None
        self.done = 0
        self.shares_files = True
        self.last_look: PoolStats | None = None

    def give(self, job: ClusterJob) -> None:
        """Note that the node has a job."""
        self.jobs[job.id] = job
        self.given[job.priority] += 1

    def forget(self, number: int) -> ClusterJob | None:
        """Note that it has it no more; return the job if it had."""
        job = self.jobs.pop(number, None)
        if job is not None:
            self.given[job.priority] -= 1
        return job


class ClusterQueue:
    """Jobs that are on no node: by priority, then in the order in which they were submitted."""

    def __init__(self) -> None:
        self._by_model: dict[str, list[tuple[int, int, ClusterJob]]] = {}

    def add(self, job: ClusterJob) -> None:
        """Put a job at its place; one that comes back has its old one."""
        heap = self._by_model.setdefault(job.payload.model, [])
        heapq.heappush(heap, (-job.priority, job.sequence, job))

    def heads(self) -> list[ClusterJob]:
        """Return the first job for each model, in their order."""
        found: list[tuple[int, int, ClusterJob]] = []
        for model, heap in list(self._by_model.items()):
            while heap and (heap[0][2].state is not JobState.WAITING or heap[0][2].node is not None):
                heapq.heappop(heap)  # it ended while it waited
            if heap:
                found.append(heap[0])
            else:
                del self._by_model[model]
        return [job for _, _, job in sorted(found, key=lambda place: place[:2])]

    def pop(self, job: ClusterJob) -> None:
        """Take away a job that :meth:`heads` returned."""
        heapq.heappop(self._by_model[job.payload.model])

    def of_model(self, model: str) -> Iterator[ClusterJob]:
        """Iterate over a model's jobs."""
        for _, _, job in list(self._by_model.get(model, ())):
            if job.state is JobState.WAITING and job.node is None:
                yield job

    def models(self) -> list[str]:
        """Return the models that are wanted."""
        return [job.payload.model for job in self.heads()]

"""The jobs of one model that wait: by priority, first in first out within one. Constant time a job."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from orchestrator.pool.core.states import JobState

MOST_LEFT_BEHIND = 64


class Waits(Protocol):
    """What the queue needs to know of its members."""

    id: int
    priority: int
    state: JobState


J = TypeVar("J", bound=Waits)


class JobQueue(Generic[J]):
    """A queue whose members may end while they wait: those are skipped, and swept out before they pile up."""

    __slots__ = ("_by_priority", "_held", "_live", "_priorities")

    def __init__(self) -> None:
        self._by_priority: dict[int, deque[J]] = {}
        self._priorities: list[int] = []  # highest first
        self._live = 0
        self._held = 0

    def __len__(self) -> int:
        return self._live

    def push(self, job: J) -> None:
        """Add at the end of its priority."""
        queue = self._by_priority.get(job.priority)
        if queue is None:
            queue = self._queue_of(job.priority)
        queue.append(job)
        self._live += 1
        self._held += 1

    def push_front(self, job: J) -> None:
        """Add at the front of its priority, behind older ones only: a job that had its turn already."""
        queue = self._queue_of(job.priority)
        older = next((place for place, other in enumerate(queue) if other.id > job.id), len(queue))
        queue.insert(older, job)
        self._live += 1
        self._held += 1

    def head(self) -> J | None:
        """Return the job whose turn it is; it stays."""
        for priority in self._priorities:
            queue = self._by_priority[priority]
            while queue:
                if queue[0].state is JobState.WAITING:
                    return queue[0]
                queue.popleft()
                self._held -= 1
        return None

    def remove_head(self, job: J) -> None:
        """Take the job that :meth:`head` has just returned."""
        self._by_priority[job.priority].popleft()
        self._live -= 1
        self._held -= 1

    def ended_while_waiting(self) -> None:
        """Note that one member is no longer waiting."""
        self._live -= 1
        if self._held > MOST_LEFT_BEHIND + 2 * self._live:
            self._sweep()

    def members(self) -> list[J]:
        """Return all that wait, in their order."""
        return [
            job
            for priority in self._priorities
            for job in self._by_priority[priority]
            if job.state is JobState.WAITING
        ]

    def rebuild(self, jobs: Iterable[J]) -> None:
        """Hold these jobs and no others, in the order of their numbers within each priority."""
        self._by_priority, self._priorities = {}, []
        self._held = self._live = 0
        for job in sorted(dict.fromkeys(jobs), key=lambda job: job.id):
            self.push(job)

    def _queue_of(self, priority: int) -> deque[J]:
        queue = self._by_priority.get(priority)
        if queue is None:
            queue = self._by_priority[priority] = deque()
            self._priorities = sorted(self._by_priority, reverse=True)
        return queue

    def _sweep(self) -> None:
        kept = self.members()
        self._by_priority, self._priorities = {}, []
        for job in kept:
            self._queue_of(job.priority).append(job)
        self._held = self._live = len(kept)

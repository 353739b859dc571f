"""One submitted job on the supervisor's side, and what it promises to its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.errors import Attempt
from orchestrator.pool.payload import Payload
from orchestrator.pool.states import JOB_TRANSITIONS, JobEvent, JobState, next_job_state
from worker.protocol import Chunk

if TYPE_CHECKING:
    from orchestrator.pool.lane import Lane
    from orchestrator.pool.slot import Worker


class Promise(Protocol):
    """The caller's side of a job. Each call says whether the caller still waits: False after a cancel."""

    def begin(self) -> bool:
        """Work is about to start."""
        ...

    def resolve(self, value: Any) -> bool:
        """The job has its result."""
        ...

    def reject(self, error: BaseException) -> bool:
        """The job has failed; ``error`` says how."""
        ...

    def add_chunk(self, chunk: Chunk) -> None:
        """A piece of text came."""
        ...


class JobRecord:
    """A job between submit and end. Times are seconds of the supervisor's clock."""

    __slots__ = (
        "attempts",
        "descriptor",
        "first_started_at",
        "frame",
        "id",
        "lane",
        "priority",
        "promise",
        "queue_timeout_s",
        "sequence",
        "started_at",
        "state",
        "submitted_at",
        "task",
        "timeout_s",
        "worker",
    )

    def __init__(
        self,
        payload: Payload,
        lane: Lane,
        promise: Promise,
        *,
        timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        priority: int = 0,
        submitted_at: float = 0.0,
    ) -> None:
        self.id = payload.id
        self.task = payload.task
        self.frame = payload.frame
        self.descriptor = payload.descriptor
        self.lane = lane
        self.promise = promise
        self.timeout_s = timeout_s
        self.queue_timeout_s = queue_timeout_s
        self.priority = priority
        self.sequence = 0
        self.submitted_at = submitted_at
        self.started_at = 0.0
        self.first_started_at: float | None = None
        self.state = JobState.WAITING
        self.attempts: tuple[Attempt, ...] = ()
        self.worker: Worker | None = None

    def move(self, event: JobEvent) -> None:
        """Change the state as the table says."""
        self.state = JOB_TRANSITIONS.get((self.state, event)) or next_job_state(self.state, event)

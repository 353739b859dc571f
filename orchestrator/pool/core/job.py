"""One submitted job on the supervisor's side, and what it promises to its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from orchestrator.errors import Attempt
from orchestrator.pool.core.states import JOB_TRANSITIONS, JobEvent, JobState, next_job_state
from orchestrator.pool.submission.payload import Payload
from orchestrator_worker.protocol import Chunk

if TYPE_CHECKING:
    from orchestrator.pool.core.model_queue import ModelQueue
    from orchestrator.pool.core.slot import Worker


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


class JobRecord(msgspec.Struct, eq=False):
    """A job between submit and end. Times are seconds of the supervisor's clock."""

    id: int
    task: str
    frame: bytes
    descriptor: int | None
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
    worker: Worker | None = None

    @classmethod
    def of(
        cls,
        payload: Payload,
        model_queue: ModelQueue,
        promise: Promise,
        timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        priority: int = 0,
    ) -> Self:
        """Make one of what is to be sent."""
        return cls(
            payload.id,
            payload.task,
            payload.frame,
            payload.descriptor,
            model_queue,
            promise,
            timeout_s,
            queue_timeout_s,
            priority,
        )

    def move(self, event: JobEvent) -> None:
        """Change the state as the table says."""
        self.state = JOB_TRANSITIONS.get((self.state, event)) or next_job_state(self.state, event)

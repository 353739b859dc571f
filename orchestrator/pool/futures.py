"""The caller's side of a job: futures that can be cancelled at any time, and cost little.

The outcome is decided where the standard library decides it, under the future's own lock: a cancel and a
result that race leave exactly one of them. After a successful ``cancel()`` the supervisor is told, and stops
the worker if the job was running.

That lock, with the condition around it, is most of what a standard future costs in time and memory, and most
futures are read once, when they are done, by one thread. So it is made when somebody first needs it. Until then
nobody can be waiting, and the result is set under one lock that all futures share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any, Generic, Protocol, TypeVar

from orchestrator.errors import JobCancelledError
from orchestrator.pool.core.entities import JobRecord
from orchestrator.pool.core.states import JobState
from orchestrator_worker.protocol import Chunk

T = TypeVar("T")
# concurrent.futures' own names of states
_PENDING, _FINISHED, _CANCELLED = "PENDING", "FINISHED", "CANCELLED"
_ENDED = frozenset({_CANCELLED, "CANCELLED_AND_NOTIFIED", _FINISHED})
_making = threading.Lock()
"""Held while a future's condition is made, and while a result is set on one that has none."""


class JobController(Protocol):
    """What a future needs of its pool."""

    def cancel(self, record: JobRecord) -> None:
        """The caller gave the job up."""
        ...

    def drive(self, future: PoolFuture[Any], timeout_s: float | None) -> float | None:
        """Wait for the job, if this thread may; return what is left of the time."""
        ...


class PoolFuture(Future[T], Generic[T]):
    """A standard future that tells the supervisor of a cancel. Its running job cannot be cancelled."""

    # Facts of a standard future as it is at first; an instance keeps only those that have changed.
    _state: str = _PENDING
    _result: T | None = None
    _exception: BaseException | None = None
    _made: threading.Condition | None = None
    _waiters: list[Any]
    _done_callbacks: list[Callable[..., object]]
    _record: JobRecord | None = None
    _controller: JobController | None = None
    _cancel_error: JobCancelledError | None = None

    def __init__(self) -> None:
        """Be pending. The standard library's own initialisation would make the lock."""

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        made = self._made
        if made is None:
            with _making:
                made = self._made
                if made is None:
                    self._waiters, self._done_callbacks = [], []
                    made = self._made = threading.Condition()
        return made

    def bind(self, record: JobRecord, controller: JobController) -> None:
        """Tie the future to its job and pool; called once, before anybody else sees it."""
        self._record = record
        self._controller = controller

    def done(self) -> bool:
        """Whether the job has ended, cancelled or not."""
        return self._state in _ENDED

    def cancel(self) -> bool:
        """Cancel the job; False when it runs or has ended already."""
        if self._state == _FINISHED:
            return False
        record, controller = self._record, self._controller
        cancelled = super().cancel()
        if cancelled and record is not None and controller is not None:
            controller.cancel(record)
        return cancelled

    def result(self, timeout: float | None = None) -> T:
        """Return the result, waiting at most ``timeout`` seconds.

        Raises:
            JobError: The engine raised; ``remote_traceback`` has its traceback.
            JobTimeoutError: The job was not started, or not done, in its time.
            JobCancelledError: It was cancelled.
            WorkerDiedError: Its worker died.
            JobPoisonedError: Every attempt ended with the worker's death.
            TimeoutError: ``timeout`` passed; the job goes on.
        """
        if self._state not in _ENDED:
            timeout = self._drive(timeout)
        if self._state == _FINISHED and self._exception is None:
            return self._result  # type: ignore[return-value]
        try:
            return super().result(timeout)
        except JobCancelledError:
            raise
        except CancelledError:
            raise self._cancelled_error() from None

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what :meth:`result` would raise, or None.

        Raises:
            JobCancelledError: It was cancelled.
            TimeoutError: ``timeout`` passed.
        """
        if self._state not in _ENDED:
            timeout = self._drive(timeout)
        try:
            return super().exception(timeout)
        except CancelledError:
            raise self._cancelled_error() from None

    def _drive(self, timeout: float | None) -> float | None:
        controller = self._controller
        return timeout if controller is None else controller.drive(self, timeout)

    def _cancelled_error(self) -> JobCancelledError:
        return self._cancel_error or JobCancelledError("the job was cancelled")

    # ------------------------------------------------------------------ from the supervisor

    def begin(self) -> bool:
        """Work starts; False when the caller has cancelled."""
        # Again, where its worker died and it is tried once more.
        return self._state == "RUNNING" or self.set_running_or_notify_cancel()

    def resolve(self, value: T) -> bool:
        """Set the result; False when the caller has cancelled."""
        with _making:
            if self._made is None and self._state not in _ENDED:  # nobody can be waiting
                self._result = value
                self._state = _FINISHED
                self._record = self._controller = None
                return True
        try:
            self.set_result(value)
        except InvalidStateError:
            self._tell_waiters()
            return False
        self._forget()
        return True

    def reject(self, error: BaseException) -> bool:
        """Set the error; a cancelled job's future becomes cancelled. False when the caller was first."""
        if isinstance(error, JobCancelledError):
            return self._be_cancelled(error)
        try:
            self.set_exception(error)
        except InvalidStateError:
            self._tell_waiters()
            return False
        self._forget()
        return True

    def _be_cancelled(self, error: JobCancelledError) -> bool:
        if self._state == "RUNNING":
            self.set_exception(error)  # the standard library knows no way from running to cancelled
        else:
            self._cancel_error = error
            super().cancel()
            self._tell_waiters()
        self._forget()
        return True

    def _tell_waiters(self) -> None:
        """Let ``concurrent.futures.wait`` hear of a cancel. Only the supervisor comes here."""
        if self._state == _CANCELLED:
            self.set_running_or_notify_cancel()
        self._forget()

    def _forget(self) -> None:
        """Break the cycle between the future and its job."""
        self._record = None
        self._controller = None

    def add_chunk(self, chunk: Chunk) -> None:
        """Text that nobody asked for."""


class JobFuture(PoolFuture[T]):
    """A future whose ``cancel()`` also stops a running job.

    After it the job's outcome is *cancelled*, at once. The engine is asked to give up; if it does not within
    half a second, its worker is stopped and replaced.
    """

    def cancel(self) -> bool:
        """Cancel the job, running or not; False when it has ended already."""
        return super().cancel()

    def running(self) -> bool:
        """Whether a worker is at it."""
        record = self._record
        return record is not None and record.state is JobState.RUNNING

    def begin(self) -> bool:
        """Work starts; False when the caller has cancelled."""
        # It stays pending for the standard library, which would not let a running future be cancelled.
        return self._state == _PENDING

"""The caller's side of a job: futures that can be cancelled at any time.

The outcome is decided where the standard library decides it, under the future's own lock: a cancel and a
result that race leave exactly one of them. After a successful ``cancel()`` the supervisor is told, and stops
the worker if the job was running.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Generic, TypeVar

from orchestrator.errors import JobCancelledError
from orchestrator.pool.job_record import JobRecord
from orchestrator.pool.states import JobState
from worker.protocol import Chunk

T = TypeVar("T")
_CANCELLED = "CANCELLED"  # concurrent.futures' own name for: cancelled, waiters not yet told


class PoolFuture(Future[T], Generic[T]):
    """A standard future that tells the supervisor of a cancel. Its running job cannot be cancelled."""

    _record: JobRecord | None = None
    _on_cancel: Callable[[JobRecord], None] | None = None
    _cancel_error: JobCancelledError | None = None

    def bind(self, record: JobRecord, on_cancel: Callable[[JobRecord], None]) -> None:
        """Tie the future to its job; called once, before anybody else sees it."""
        self._record = record
        self._on_cancel = on_cancel

    def cancel(self) -> bool:
        """Cancel the job; False when it runs or has ended already."""
        cancelled = super().cancel()
        record = self._record
        if cancelled and record is not None and self._on_cancel is not None:
            self._on_cancel(record)
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
        try:
            return super().exception(timeout)
        except CancelledError:
            raise self._cancelled_error() from None

    def _cancelled_error(self) -> JobCancelledError:
        return self._cancel_error or JobCancelledError("the job was cancelled")

    # ------------------------------------------------------------------ from the supervisor

    def begin(self) -> bool:
        """Work starts; False when the caller has cancelled."""
        return self.set_running_or_notify_cancel()

    def resolve(self, value: T) -> bool:
        """Set the result; False when the caller has cancelled."""
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
        """Let ``concurrent.futures.wait`` hear of a cancel. Only the supervisor's thread comes here."""
        if self._state == _CANCELLED:
            self.set_running_or_notify_cancel()
        self._forget()

    def _forget(self) -> None:
        """Break the cycle between the future and its job."""
        self._record = None
        self._on_cancel = None

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
        return not self.cancelled()

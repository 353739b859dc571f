"""The caller's side of a job: futures that can be cancelled at any time, and cost little.

The outcome is decided where the standard library decides it, under the future's own lock: a cancel and a result that
race leave exactly one of them. After a successful ``cancel()`` the supervisor is told, and stops the worker if the job
was running.

That lock, with the condition around it, is most of what a standard future costs in time and memory, and most futures
are read once, when they are done, by one thread. So a future here becomes a standard one only when somebody needs that:
the standard library's ``__init__`` is run late, at the first use of anything that it would have set. Until then nobody
can be waiting, and the result is kept beside, under one lock that all futures share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any, Generic, Protocol, TypeVar

from orchestrator.errors import JobCancelledError, JobError
from orchestrator.pool.core.entities import JobRecord
from orchestrator.pool.core.states import JobState
from orchestrator.pool.results import Answer, as_result
from orchestrator.process.result_values import result_of
from orchestrator.process.uninterrupted import UninterruptedCondition
from orchestrator_worker.protocol import Chunk

T = TypeVar("T")
_becoming_standard = threading.Lock()
"""Held while a future becomes a standard one, and while a result is kept in one that is not."""


class JobController(Protocol):
    """What a future needs of its pool."""

    def cancel(self, record: JobRecord) -> None:
        """The caller gave the job up."""
        ...

    def drive(self, future: PoolFuture[Any], timeout_s: float | None) -> float | None:
        """Wait for the job, if this thread may; return what is left of the time."""
        ...

    def text_was_read(self, record: JobRecord) -> None:
        """There is room for more of the job's text."""
        ...

    def hold(self, error: BaseException) -> None:
        """Raise what a callback let out, once the pool's decision is complete."""
        ...


class PoolFuture(Future[T], Generic[T]):
    """A standard future that tells the supervisor of a cancel. Its running job cannot be cancelled."""

    # Facts of a future as it is at first; an instance keeps only those that have changed.
    _is_standard: bool = False
    _is_early: bool = False  # it had its result before it became a standard future
    _early_value: Any = None
    _waiters_know: bool = False  # of a cancel
    _record: JobRecord | None = None
    _controller: JobController | None = None
    _cancel_error: JobCancelledError | None = None

    def __init__(self) -> None:
        """Be pending. The standard library's own initialisation is run when it is needed."""

    def __getattr__(self, name: str) -> Any:
        """Become a standard future at the first use of what only that has; called for missing attributes alone."""
        if self._is_standard:
            if name in vars(self):
                return vars(self)[name]  # another thread has made it one since we looked for the attribute
            raise AttributeError(name, name=name, obj=self)
        with _becoming_standard:
            if not self._is_standard:
                standard: Future[Any] = Future()
                if self._is_early:
                    standard.set_result(self._early_value)
                # In one step, so that no thread ever sees a part of it.
                vars(self).update(vars(standard), _condition=UninterruptedCondition())
                self._is_standard = True
        return getattr(self, name)

    def bind(self, record: JobRecord, controller: JobController) -> None:
        """Tie the future to its job and pool; called once, before anybody else sees it."""
        self._record = record
        self._controller = controller

    def done(self) -> bool:
        """Whether the job has ended, cancelled or not."""
        return self._is_early or (self._is_standard and super().done())

    def cancel(self) -> bool:
        """Cancel the job; False when it runs or has ended already."""
        if self._is_early:
            return False
        record, controller = self._record, self._controller
        before = self.done()
        cancelled = super().cancel()
        if cancelled and not before and record is not None and controller is not None:
            controller.cancel(record)
        return cancelled

    def result(self, timeout: float | None = None) -> T:
        """Return the result, waiting at most ``timeout`` seconds.

        Raises:
            JobError: The engine raised (``remote_traceback`` has its traceback), or its result cannot be decoded.
            JobTimeoutError: The job was not started, or not done, in its time.
            JobCancelledError: It was cancelled.
            WorkerDiedError, JobPoisonedError: Its worker died, all attempts.
            TimeoutError: ``timeout`` passed; the job goes on.
        """
        if not self.done():
            timeout = self._drive(timeout)
        if self._is_early:
            found: Any = self._early_value
            return self._unpacked(found) if type(found) is Answer else found  # type: ignore[no-any-return]
        try:
            found = super().result(timeout)
            return self._unpacked(found) if type(found) is Answer else found  # type: ignore[no-any-return]
        except JobCancelledError:
            raise
        except CancelledError:
            raise self._cancelled_error() from None
        finally:
            # What is raised keeps this frame by its traceback, and the future keeps what is raised.
            del self

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what :meth:`result` would raise, or None.

        Raises:
            JobCancelledError: It was cancelled.
            TimeoutError: ``timeout`` passed.
        """
        if not self.done():
            timeout = self._drive(timeout)
        if self._is_early:
            return self._unreadable(self._early_value)
        try:
            error = super().exception(timeout)
        except CancelledError:
            raise self._cancelled_error() from None
        return self._unreadable(self._result) if error is None else error

    def _unpacked(self, answer: Answer) -> Any:
        """Return the value in a worker's answer, made by whoever asks first; the same one for all who ask later.

        Raises:
            JobError: It cannot be made, on this thread's stack and with the memory there is.
        """
        found = as_result(answer, result_of(answer.done))
        with _becoming_standard:
            name = "_early_value" if self._is_early else "_result"
            if type(kept := getattr(self, name)) is Answer:
                kept = found
                setattr(self, name, found)
                if self._is_early and self._is_standard:
                    self._result = found
        return kept

    def _unreadable(self, value: Any) -> JobError | None:
        """Return the error of a result that cannot be made into a value; None where it can, or is one already."""
        if type(value) is not Answer:
            return None
        try:
            self._unpacked(value)
        except JobError as error:
            return error
        return None

    def _drive(self, timeout: float | None) -> float | None:
        controller = self._controller
        return timeout if controller is None else controller.drive(self, timeout)

    def _cancelled_error(self) -> JobCancelledError:
        return self._cancel_error or JobCancelledError("the job was cancelled")

    # ------------------------------------------------------------------ from the supervisor

    def begin(self) -> bool:
        """Work starts; False when the caller has cancelled."""
        if self._is_running():
            return True  # again: its worker died, and it is tried once more
        begun = self.set_running_or_notify_cancel()
        self._waiters_know = not begun
        return begun

    def resolve(self, value: T) -> bool:
        """Set the result; False when the caller has cancelled."""
        with _becoming_standard:
            if not (self._is_standard or self._is_early):  # nobody can be waiting
                self._early_value = value
                self._is_early = True
                self._record = self._controller = None
                return True
        return self._settle(self.set_result, value)

    def reject(self, error: BaseException) -> bool:
        """Set the error; a cancelled job's future becomes cancelled. False when the caller was first."""
        if isinstance(error, JobCancelledError):
            return self._be_cancelled(error)
        return self._settle(self.set_exception, error)

    def _settle(self, settle: Callable[[Any], None], outcome: Any) -> bool:
        """Set the outcome of a standard future. What its callbacks raise must not disturb the decision under way."""
        controller = self._controller
        try:
            settle(outcome)
        except InvalidStateError:
            self._tell_waiters()
            return False
        except BaseException as error:
            if controller is None:
                raise
            controller.hold(error)
        self._forget()
        return True

    def _be_cancelled(self, error: JobCancelledError) -> bool:
        if self._is_running():
            return self._settle(self.set_exception, error)  # there is no way from running to cancelled
        self._cancel_error = error
        super().cancel()
        self._tell_waiters()
        return True

    def _is_running(self) -> bool:
        """Whether it runs for the standard library, which a subclass may not show."""
        return super().running()

    def _tell_waiters(self) -> None:
        """Let ``concurrent.futures.wait`` hear of a cancel. Only the supervisor comes here."""
        if self.cancelled() and not self._waiters_know:
            self._waiters_know = True
            self.set_running_or_notify_cancel()
        self._forget()

    def _forget(self) -> None:
        """Break the cycle between the future and its job."""
        self._record = None
        self._controller = None

    def add_chunk(self, chunk: Chunk) -> int:  # noqa: ARG002
        """Text that nobody asked for."""
        return 0

    @property
    def reads_later(self) -> bool:
        """Whether text may wait until the job's end."""
        return True


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
        return not self.done()

"""The front door for other libraries: a real ``concurrent.futures.Executor`` without pickle."""

from __future__ import annotations

import collections
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, Literal, TypeVar

from orchestrator.errors import JobError
from orchestrator.pool.events import Hook
from orchestrator.pool.futures import PoolFuture
from orchestrator.pool.importable import importable_name
from orchestrator.pool.jobs import Call
from orchestrator.pool.models import FUNCTION_MODEL, Model
from orchestrator.pool.options import PoolOptions
from orchestrator.pool.own_exceptions import OwnExceptions
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator.pool.stats import PoolStats
from orchestrator.pool.submission.arguments import pack_arguments
from orchestrator.pool.submission.controller import Controller
from orchestrator.process.host.cores import usable_cores
from orchestrator_worker.sharing.shared_memory import DEFAULT_BOUND

T = TypeVar("T")


class ExecutorFuture(PoolFuture[T]):
    """A future that raises what the function raised, where the executor knows the type."""

    own_exceptions: OwnExceptions

    def set_exception(self, exception: BaseException | None) -> None:
        """Set the error of the job."""
        known = self.own_exceptions.of(exception) if isinstance(exception, JobError) else None
        super().set_exception(known or exception)


class PoolExecutor(Executor):
    """Runs importable callables in isolated workers. Arguments and results travel as values, without pickle.

    Everything that takes an ``Executor`` takes it, ``asyncio``'s ``run_in_executor`` too. The standard rules hold:
    a running job cannot be cancelled, ``submit`` after ``shutdown`` raises RuntimeError, and leaving the interpreter
    finishes what was submitted. A worker's death fails its own job alone, with an error that is a ``BrokenExecutor``,
    and the executor goes on.

    A future raises the function's own exception where its type is built in or one of ``exceptions``; the
    :class:`~orchestrator.errors.JobError` is its cause. Other exceptions arrive as that JobError: this process imports
    nothing because a worker names it.

    Args:
        max_workers: Processes; None: the cores that this process may use.
        mp_context: Taken as the standard executors have it, and without meaning: how workers start is ours.
        initializer, initargs: An importable callable that each worker calls before its first job.
        max_tasks_per_child: Calls after which a worker is replaced; the same as ``Recycle(max_jobs=…, jitter=0)``.
        recycle, max_attempts, max_value, memory_budget, on_event, inspect, python, pass_env: As for :class:`Pool`.
        timeout_s: Seconds each call may take; then its worker is stopped and the future has a JobTimeoutError.
        max_queue: Calls that may wait; then ``submit`` blocks.
        exceptions: Exception types of the caller's that futures raise as they are.

    Raises:
        ValueError, TypeError: An argument has no meaning; says which.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: object = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
        recycle: Recycle | Literal["auto"] | None = None,
        max_attempts: int | Retry = 1,
        memory_budget: int | str | None = None,
        timeout_s: float | None = None,
        max_queue: int = 100_000,
        max_value: int | str = DEFAULT_BOUND,
        on_event: Hook | None = None,
        inspect: bool = False,
        python: str | os.PathLike[str] | None = None,
        pass_env: Iterable[str] = (),
        exceptions: Iterable[type[Exception]] = (),
    ) -> None:
        del mp_context
        self._max_workers = _checked_workers(max_workers)
        self._timeout_s = timeout_s
        self._own_exceptions = OwnExceptions(exceptions)
        self._controller = Controller(
            PoolOptions(
                workers=self._max_workers,
                models=_with_initializer(initializer, initargs),
                recycle=_with_limit(recycle, max_tasks_per_child),
                max_attempts=max_attempts,
                memory_budget=memory_budget,
                max_queue=max_queue,
                max_value=max_value,
                on_event=on_event,
                inspect=inspect,
                python=python,
                pass_env=pass_env,
            ),
            finishes_at_exit=True,
        )

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call ``fn(*args, **kwargs)`` in a worker; :func:`.importable_name` says which callables can be found there.

        Raises:
            ValueError: ``fn`` cannot be imported in a worker (``__main__``, a lambda, nested); says the cure.
            TypeError: An argument cannot travel; named.
            RuntimeError: After ``shutdown``.
        """
        if self._controller.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        target, first, named = importable_name(fn)
        payload = self._controller.prepare(Call(target, *first, *args, **{**named, **kwargs}))
        future: ExecutorFuture[T] = ExecutorFuture()
        future.own_exceptions = self._own_exceptions
        self._controller.enter(payload, block=True, timeout_s=None)
        self._controller.submit(payload, future, timeout_s=self._timeout_s, queue_timeout_s=None, priority=0)
        return future

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Return the results of ``fn`` over the iterables, in order, as the standard library's ``map`` does.

        Args:
            fn: What is called.
            *iterables: Its arguments.
            timeout: Seconds from this call until the last result must be there.
            chunksize: Without meaning, as for threads: jobs are handed over one by one, and short ones ahead.
            buffersize: At most so many results are waited for at a time, and the iterables are read no further;
                None: all are submitted at once.

        Raises:
            ValueError, TypeError: ``buffersize`` is no count.
        """
        if buffersize is None:
            return super().map(fn, *iterables, timeout=timeout, chunksize=chunksize)
        if not isinstance(buffersize, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("buffersize must be an integer or None")
        if buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        return self._buffered(fn, zip(*iterables, strict=False), buffersize, deadline_after(timeout))

    def _buffered(
        self,
        fn: Callable[..., T],
        arguments: Iterator[tuple[Any, ...]],
        buffersize: int,
        left: Callable[[], float | None],
    ) -> Iterator[T]:
        waiting = collections.deque(
            self.submit(fn, *each) for each in itertools.islice(arguments, buffersize)
        )

        def results() -> Iterator[T]:
            try:
                while waiting:
                    done = waiting[0].result(left())
                    waiting.popleft()
                    for each in itertools.islice(arguments, 1):
                        waiting.append(self.submit(fn, *each))
                    yield done
            finally:
                for future in waiting:
                    future.cancel()

        return results()

    def stats(self) -> PoolStats:
        """Return what the pool behind it looks like now."""
        return self._controller.stats()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls. ``cancel_futures`` cancels those that wait; ``wait`` until the workers are gone."""
        if cancel_futures:
            self._controller.cancel_waiting()
        self._controller.end(drop=False)
        if wait:
            self._controller.join()
        else:
            self._controller.hide()


def deadline_after(timeout_s: float | None) -> Callable[[], float | None]:
    """Return a function that tells how many seconds are left of ``timeout_s``, None for ever."""
    if timeout_s is None:
        return lambda: None
    end = time.monotonic() + timeout_s
    return lambda: max(0.0, end - time.monotonic())


def _checked_workers(max_workers: int | None) -> int:
    if max_workers is None:
        return usable_cores()
    if max_workers <= 0:
        raise ValueError(f"max_workers must be greater than 0, not {max_workers}")
    return max_workers


def _with_initializer(
    initializer: Callable[..., object] | None, initargs: tuple[Any, ...]
) -> list[Model] | None:
    """Return the model of functions whose load calls the initializer; None where there is none."""
    if initializer is None:
        return None
    if not callable(initializer):
        raise TypeError("initializer must be a callable")
    target, first, named = importable_name(initializer)
    values = pack_arguments((*first, *initargs), named)
    options = {"initializer": {"target": target, "values": values}}
    return [Model(name=FUNCTION_MODEL, engine="function", options=options)]


def _with_limit(
    recycle: Recycle | Literal["auto"] | None, max_tasks_per_child: int | None
) -> Recycle | Literal["auto"] | None:
    if max_tasks_per_child is None:
        return recycle
    if not isinstance(max_tasks_per_child, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("max_tasks_per_child must be an integer")
    if max_tasks_per_child <= 0:
        raise ValueError("max_tasks_per_child must be >= 1")
    if recycle is not None:
        raise ValueError("give max_tasks_per_child or recycle, not both: recycle has max_jobs")
    return Recycle(max_jobs=max_tasks_per_child, jitter=0)

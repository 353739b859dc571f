"""The front door for threads: ``Pool``."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self

from orchestrator.errors import AudioError
from orchestrator.pool.door import PoolDoor
from orchestrator.pool.futures import JobFuture
from orchestrator.pool.jobs import Job
from orchestrator.pool.stats import PoolStats
from orchestrator.pool.stream import JobStream, StreamFuture
from orchestrator.pool.submission.checked_options import positive_s

UNSENDABLE = (AudioError, TypeError, ValueError)
"""What is wrong with one job and says nothing about the next."""
JOBS_AHEAD = 16
"""Jobs that ``map`` keeps submitted per worker: enough to keep workers busy, few enough to stay lazy."""
SMALL_JOBS_AHEAD = 48
"""As many where jobs are so short that they are sent ahead: enough to keep pipes full."""


class Pool(PoolDoor):
    """Runs jobs in worker processes that are isolated, recycled and replaced.

    Args:
        config: An experiments.toml, whose profile binds the models; its ``[recycle]`` is the default of ``recycle``.
        profile: A profile's name, or ``auto``.
        models: Models built in code; of two with one name these win over the file's.
        workers: Slots: how many jobs run at a time.
        memory_budget: Bytes, or text such as ``"4GiB"`` or ``"50%"`` (of the control group's limit or the machine's
            memory), that all workers together may reserve. Default: that limit, less a reserve.
        hard_budget: Kill a worker rather than let all of them together stay above ``memory_budget``, in the middle of a
            job too. The job is given again, to a fresh worker; one that does not fit into the budget alone fails.
        heartbeat_s: Kill a worker at work of which no thread has run for so many seconds (stopped, frozen): its job's
            attempt ends with its death. A worker that is slow, asleep, waits or is in native code is left alone. Give
            5 or more; None: not looked for.
        standby: Workers that may stay loaded beyond ``workers``, so that jobs of several models take turns without
            unloading one for the other. Never more than ``workers`` of all of them work at a time.
        exclusive: Keep only one model loaded at a time.
        keep_warm: Names of models of which a worker is loaded at once, and again whenever it has gone, as soon as a
            slot is free and the budget has room. They are evicted as others are when a job needs their place.
        recycle: When workers are replaced; ``"auto"`` learns it from the pool's own workers.
        max_queue: Jobs that may wait; then ``submit`` blocks or raises.
        max_attempts: How often a job is tried whose worker dies; a :class:`Retry` also says with what pauses.
        max_value: Bytes, or text such as ``"512MiB"``, that the arguments of a ``Call`` or its result may have. Those
            above 64 MiB go through shared memory; at most 4 GiB.
        start_timeout_s: Seconds a worker may take until its model is loaded.
        cache_dir: Where converted audio is kept. Default: ``~/.cache/orchestrator/audio``.
        on_event: Called with a frozen record for each event, on the pool's thread or one that waits or submits.
        inspect: Let ``orchestrator top`` look in, run by the same user.
        python: The interpreter of the workers, of this process's version and with msgspec. Default: the environment
            variable ORCHESTRATOR_PYTHON, or the interpreter of this process (``docs/hosts.md``).
        pass_env: Variables of this process's environment that workers get besides the usual ones (``docs/hosts.md``):
            names, or patterns of a shell (``"AWS_*"``; ``"*"``: all).

    Without models, ``Call`` jobs run. With one model (or none) all workers load it at once, else on demand.
    Safe from many threads; not usable in a forked copy of the process. Leaving the ``with`` block finishes
    the queue, unless an exception leaves it: then jobs are dropped.

    Raises:
        ConfigError: The file cannot be used.
        InterpreterError: There is no interpreter that can run workers.
        UnsupportedHostError: This process is patched by gevent or the like.
        ResultsError: ``inspect``, and there is no safe place for its socket.
        ValueError, TypeError: An option makes no sense; named.
    """

    # ------------------------------------------------------------------ jobs

    def submit(
        self,
        job: Job,
        *,
        timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        priority: int = 0,
        block: bool = True,
    ) -> JobFuture[Any]:
        """Queue a job and return its future.

        Blocks while its audio is decoded, and, with ``block``, while the queue is full: at most
        ``queue_timeout_s``, which then also bounds the waiting in the queue. ``timeout_s`` counts from the start
        of work. A higher ``priority`` is served first.

        Raises:
            QueueFullError: ``max_queue`` jobs wait, and ``block`` is off, or there was no place in time.
            PoolClosedError: The pool was closed.
            ForkedPoolError: This process is a forked copy of the pool's.
            TypeError, ValueError, AudioError: The job cannot be sent; says why.
        """
        future: JobFuture[Any] = JobFuture()
        self._submit(job, future, timeout_s, queue_timeout_s, priority, block=block)
        return future

    def stream(
        self,
        job: Job,
        *,
        timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        priority: int = 0,
        block: bool = True,
    ) -> JobStream[Any]:
        """Queue a job and return an iterator over its text as it comes; ``.result()`` has the whole.

        Arguments and errors as for :meth:`submit`.
        """
        future: StreamFuture[Any] = StreamFuture()
        self._submit(job, future, timeout_s, queue_timeout_s, priority, block=block, stream=True)
        return JobStream(future)

    def _submit(
        self,
        job: Job,
        future: JobFuture[Any],
        timeout_s: float | None,
        queue_timeout_s: float | None,
        priority: int,
        *,
        block: bool,
        stream: bool = False,
        returning: bool = False,
    ) -> None:
        if timeout_s is not None:
            positive_s("timeout_s", timeout_s)
        if queue_timeout_s is not None:
            positive_s("queue_timeout_s", queue_timeout_s)
        payload = self._controller.prepare(job, stream=stream)
        self._controller.enter(payload, block=block, timeout_s=queue_timeout_s)
        self._controller.submit(
            payload,
            future,
            timeout_s=timeout_s,
            queue_timeout_s=queue_timeout_s,
            priority=priority,
            returning=returning,
        )

    def run(self, job: Job, *, timeout_s: float | None = None, queue_timeout_s: float | None = None) -> Any:
        """Do one job and return its result. An exception in the waiting thread (Ctrl-C) cancels it.

        Raises:
            Exception: As :meth:`submit` and as :meth:`JobFuture.result`.
        """
        future = self.submit(job, timeout_s=timeout_s, queue_timeout_s=queue_timeout_s)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def map(
        self,
        jobs: Iterable[Job],
        *,
        ordered: bool = True,
        errors: Literal["raise", "return"] = "raise",
        timeout_s: float | None = None,
    ) -> Iterator[Any]:
        """Yield the results of many jobs. Pulls ``jobs`` lazily, so memory does not depend on their number.

        ``ordered=False`` yields as they end. ``errors="return"`` yields a job's exception in its place; else the
        first is raised. Closing the iterator cancels what is under way. ``timeout_s`` is for each job.
        """
        if errors not in {"raise", "return"}:
            raise ValueError(f"errors={errors!r}: 'raise' or 'return'")
        mapped = self._in_order(iter(jobs), timeout_s) if ordered else self._as_done(iter(jobs), timeout_s)
        return _results(mapped, return_errors=errors == "return")

    @property
    def _ahead(self) -> int:
        return self._controller.at_most_queued(self._controller.workers * JOBS_AHEAD)

    def _ahead_of(self, job: Job) -> int:
        """Return how many jobs like this one may be under way."""
        controller = self._controller
        return (
            controller.at_most_queued(controller.workers * SMALL_JOBS_AHEAD)
            if controller.is_short(job)
            else self._ahead
        )

    def _in_order(self, jobs: Iterator[Job], timeout_s: float | None) -> Iterator[Future[Any]]:
        under_way: deque[Future[Any]] = deque()
        few = most = self._ahead
        try:
            for number, job in enumerate(jobs, 1):
                # With short jobs we are back for the next result in a moment, and take the replies ourselves.
                under_way.append(self._submitted(job, timeout_s, returning=most > few))
                if number % JOBS_AHEAD == 0:
                    most = self._ahead_of(job)
                while len(under_way) >= most:
                    yield under_way.popleft()
            while under_way:
                yield under_way.popleft()
        finally:
            for future in under_way:
                future.cancel()

    def _as_done(self, jobs: Iterator[Job], timeout_s: float | None) -> Iterator[Future[Any]]:
        done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        under_way: set[Future[Any]] = set()
        try:
            for job in jobs:
                future = self._submitted(job, timeout_s, returning=False)
                under_way.add(future)
                future.add_done_callback(done.put)
                while len(under_way) >= self._ahead:
                    under_way.discard(future := done.get())
                    yield future
            while under_way:
                under_way.discard(future := done.get())
                yield future
        finally:
            for future in under_way:
                future.cancel()

    def _submitted(self, job: Job, timeout_s: float | None, *, returning: bool) -> Future[Any]:
        """Submit a job of many; one that cannot even be sent has failed in its place, the others go on."""
        future: JobFuture[Any] = JobFuture()
        try:
            self._submit(job, future, timeout_s, None, 0, block=True, returning=returning)
        except UNSENDABLE as error:
            future.set_exception(error)
        return future

    # ------------------------------------------------------------------ looking and ending

    def stats(self) -> PoolStats:
        """Return what the pool looks like now: slots, models, queue, exits by reason, latencies, memory."""
        return self._controller.stats()

    def close(self, timeout_s: float | None = None) -> bool:
        """Take no more jobs, finish those there are, see every worker off. Blocks until they are gone.

        Returns:
            False when that took longer than ``timeout_s``; it goes on.
        """
        self._controller.end(drop=False)
        return self._controller.join(timeout_s)

    def stop(self, timeout_s: float | None = None) -> bool:
        """Take no more jobs, cancel those there are, kill every worker. Blocks until they are gone.

        Returns:
            False when that took longer than ``timeout_s``.
        """
        self._controller.end(drop=True)
        return self._controller.join(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self.close()
            except BaseException:
                self.stop()
                raise
        else:
            self.stop()


def _results(futures: Iterator[Future[Any]], *, return_errors: bool) -> Iterator[Any]:
    try:
        for future in futures:
            try:
                value = future.result()
            except Exception as error:
                if not return_errors:
                    raise
                value = error
            except BaseException:
                future.cancel()
                raise
            yield value
    finally:
        with suppress(AttributeError):
            futures.close()  # type: ignore[attr-defined]

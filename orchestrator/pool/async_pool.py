"""The front door for asyncio: ``AsyncPool``. The same core; waiting is done by the event loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Literal, Self

from orchestrator.pool.async_stream import AsyncJobStream
from orchestrator.pool.door import PoolDoor
from orchestrator.pool.futures import JobFuture
from orchestrator.pool.jobs import Call, Job
from orchestrator.pool.pool import JOBS_AHEAD, UNSENDABLE
from orchestrator.pool.stats import PoolStats
from orchestrator.pool.stream import JobStream, StreamFuture
from orchestrator.pool.submission.asyncio_bridge import AsyncioBridge
from orchestrator.pool.submission.checked_options import positive_s
from orchestrator.pool.submission.payload import Payload
from orchestrator.process.host.supported import refuse_trio_task, running_loop


class AsyncPool(PoolDoor):
    """:class:`Pool` for coroutines: the same arguments, the same results and errors.

    Cancelling a task cancels the job it waits for. A full queue suspends the submitting coroutine. Audio is
    decoded in a thread. It needs asyncio's event loop; under trio use :class:`Pool` in a thread (``docs/hosts.md``).

    Raises:
        UnsupportedHostError: trio runs the calling task.
    """

    def _check_caller(self) -> None:
        refuse_trio_task()

    @functools.cached_property
    def _replies(self) -> AsyncioBridge:
        return AsyncioBridge(self._controller)

    async def submit(
        self,
        job: Job,
        *,
        timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        priority: int = 0,
    ) -> asyncio.Future[Any]:
        """Queue a job, waiting for a place, and return an asyncio future; cancelling it cancels the job.

        Raises:
            Exception: As :meth:`Pool.submit`.
        """
        future: JobFuture[Any] = JobFuture()
        await self._submit(job, future, timeout_s, queue_timeout_s, priority)
        return asyncio.wrap_future(future)

    async def _submit(
        self,
        job: Job,
        future: JobFuture[Any],
        timeout_s: float | None,
        queue_timeout_s: float | None,
        priority: int,
        *,
        stream: bool = False,
    ) -> None:
        loop = running_loop()
        positive_s("timeout_s", timeout_s)
        positive_s("queue_timeout_s", queue_timeout_s)
        payload = await self._prepare(job, stream=stream)
        await self._controller.enter_async(payload, timeout_s=queue_timeout_s)
        self._controller.submit(
            payload,
            future,
            timeout_s=timeout_s,
            queue_timeout_s=queue_timeout_s,
            priority=priority,
            returning=self._replies.taken_by(loop),
        )

    async def _prepare(self, job: Job, *, stream: bool) -> Payload:
        if isinstance(job, Call) or job.audio is None:
            return self._controller.prepare(job, stream=stream)
        return await asyncio.to_thread(self._controller.prepare, job, stream=stream)

    async def run(
        self,
        job: Job,
        *,
        timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        priority: int = 0,
    ) -> Any:
        """Do one job and return its result. Cancelling the task cancels the job."""
        future = await self.submit(
            job, timeout_s=timeout_s, queue_timeout_s=queue_timeout_s, priority=priority
        )
        return await future

    def stream(
        self,
        job: Job,
        *,
        timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        priority: int = 0,
    ) -> AsyncJobStream[Any]:
        """Return an asynchronous iterator over a job's text; the job is queued when it is first asked."""

        async def start() -> JobStream[Any]:
            future: StreamFuture[Any] = StreamFuture()
            await self._submit(job, future, timeout_s, queue_timeout_s, priority, stream=True)
            return JobStream(future)

        return AsyncJobStream(start)

    async def map(
        self,
        jobs: Iterable[Job] | AsyncIterable[Job],
        *,
        ordered: bool = True,
        errors: Literal["raise", "return"] = "raise",
        timeout_s: float | None = None,
    ) -> AsyncIterator[Any]:
        """Yield the results of many jobs, as :meth:`Pool.map`; ``jobs`` may be asynchronous."""
        if errors not in {"raise", "return"}:
            raise ValueError(f"errors={errors!r}: 'raise' or 'return'")
        under_way: list[asyncio.Future[Any]] = []
        most = self._controller.at_most_queued(self._controller.workers * JOBS_AHEAD)
        try:
            async for job in _each(jobs):
                under_way.append(await self._submitted(job, timeout_s))
                while len(under_way) >= most:
                    yield await _next(under_way, ordered=ordered, return_errors=errors == "return")
            while under_way:
                yield await _next(under_way, ordered=ordered, return_errors=errors == "return")
        finally:
            for future in under_way:
                future.cancel()

    async def _submitted(self, job: Job, timeout_s: float | None) -> asyncio.Future[Any]:
        """Submit a job of many; one that cannot even be sent has failed in its place, the others go on."""
        try:
            return await self.submit(job, timeout_s=timeout_s)
        except UNSENDABLE as error:
            failed: asyncio.Future[Any] = running_loop().create_future()
            failed.set_exception(error)
            failed.exception()  # looked at: asyncio has nothing to complain of when nobody waits for it any more
            return failed

    async def stats(self) -> PoolStats:
        """Return what the pool looks like now."""
        running_loop()
        return await asyncio.to_thread(self._controller.stats)

    async def close(self, timeout_s: float | None = None) -> bool:
        """As :meth:`Pool.close`, without blocking the event loop."""
        self._controller.end(drop=False)
        return await self._join(timeout_s)

    async def stop(self, timeout_s: float | None = None) -> bool:
        """As :meth:`Pool.stop`, without blocking the event loop."""
        self._controller.end(drop=True)
        return await self._join(timeout_s)

    async def _join(self, timeout_s: float | None) -> bool:
        running_loop()
        ended = await asyncio.to_thread(self._controller.join, timeout_s)
        if ended:
            self._replies.close()
        return ended

    async def __aenter__(self) -> Self:
        running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            await self.stop()
            return
        try:
            await self.close()
        except BaseException:
            self._controller.end(drop=True)
            raise


async def _each(jobs: Iterable[Job] | AsyncIterable[Job]) -> AsyncIterator[Job]:
    if isinstance(jobs, AsyncIterable):
        async for job in jobs:
            yield job
    else:
        for job in jobs:
            yield job


async def _next(under_way: list[asyncio.Future[Any]], *, ordered: bool, return_errors: bool) -> Any:
    """Take one future out and return its result, or its error."""
    if not ordered:
        await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        future = next(one for one in under_way if one.done())
    else:
        future = under_way[0]
        await asyncio.wait([future])
    under_way.remove(future)
    try:
        return future.result()
    except Exception as error:
        if not return_errors:
            raise
        return error

"""Partial results for ``async for``: the same buffer, read without blocking the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from orchestrator.pool.stream import Chunk, JobStream
from orchestrator.process.host.supported import running_loop

T = TypeVar("T")


class AsyncJobStream(Generic[T]):
    """The same for ``async for``; made by ``AsyncPool.stream``, which submits the job at the first chunk asked for."""

    def __init__(self, submit: Callable[[], Awaitable[JobStream[T]]]) -> None:
        self._submit = submit
        self._stream: JobStream[T] | None = None
        self._news = asyncio.Event()

    async def _start(self) -> JobStream[T]:
        stream = self._stream
        if stream is None:
            stream = self._stream = await self._submit()
            loop, news = running_loop(), self._news
            stream.buffer.on_change = lambda: _call_soon(loop, news.set)
            news.set()
        return stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        stream = await self._start()
        while True:
            self._news.clear()
            chunk, ended = stream.buffer.take_now()
            if chunk is not None:
                return chunk
            if ended:
                stream.result()
                raise StopAsyncIteration
            try:
                await self._news.wait()
            except asyncio.CancelledError:
                stream.close()
                raise

    async def result(self) -> T:
        """Return the job's result; a cancelled waiter cancels the job."""
        stream = await self._start()
        stream.read_later()
        return await asyncio.wrap_future(stream.future)

    async def aclose(self) -> None:
        """Cancel the job unless it has ended."""
        if self._stream is not None:
            self._stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _call_soon(loop: asyncio.AbstractEventLoop, call: Callable[[], Any]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        return  # the event loop is closed: nobody reads any more

"""A pipeline for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from orchestrator.pipeline.document import Document
from orchestrator.pipeline.work import PartialText
from orchestrator.process.host.supported import running_loop

if TYPE_CHECKING:
    from orchestrator.pipeline.pipeline import Pipeline


class AsyncPipeline:
    """The same steps for asyncio: a thread waits while the pool works, the event loop goes on.

    Args:
        pipeline: What to run. Its pool is one that is safe from threads: ``Pool`` or ``RayPool``.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def run(
        self, path: str | os.PathLike[str], *, on_text: Callable[[PartialText], None] | None = None
    ) -> Document:
        """As :meth:`Pipeline.run`. ``on_text`` is called on the event loop; cancelling the task stops the jobs."""
        loop = running_loop()

        def tell(partial: PartialText) -> None:
            assert on_text is not None
            loop.call_soon_threadsafe(on_text, partial)

        work = await asyncio.to_thread(self._pipeline.open, path, on_text=tell if on_text else None)
        finishing = asyncio.ensure_future(asyncio.to_thread(self._pipeline.finish, work))
        try:
            return await asyncio.shield(finishing)
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(finishing, return_exceptions=True)
            raise

    async def stream(self, path: str | os.PathLike[str]) -> AsyncGenerator[PartialText | Document]:
        """Yield text while it comes, and the document last. Leaving early stops the jobs."""
        told: asyncio.Queue[PartialText | None] = asyncio.Queue()
        running = asyncio.create_task(self.run(path, on_text=told.put_nowait))
        running.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (partial := await told.get()) is not None:
                yield partial
            yield await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

"""The work on one recording, seen from the event loop: a thread takes it through the pipeline, anybody may stop it.

Jobs of one request do not go before those of others: the first pieces of all recordings come before the second ones,
and so on, so that an hour-long recording does not hold up a short one. A key's priority goes before that.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.errors import JobCancelledError
from orchestrator.pipeline import Document, PartialText, Pipeline, Step, Work

if TYPE_CHECKING:
    from orchestrator.pool.pool import Pool

T = TypeVar("T")
LOOK_S = 0.2
"""Seconds after which a request that waits to be decoded looks whether it was given up."""
RANKS = 16
"""Pieces of a recording that are told apart by rank; those after them are all the last."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where requests are worked on: a pool, a thread for each request, and how many may be decoded at a time."""

    pool: Pool
    threads: Executor
    decoding: threading.BoundedSemaphore


class Running:
    """One request's recording on its way.

    Args:
        place: Where it is worked on.
        steps: Of the pipeline.
        path: The recording; its converted copy goes beside it.
        priority: Of the request's key.
        longest_s: Seconds of sound that are taken.
        on_text: Gets text while it comes, on the request's thread.
    """

    def __init__(
        self,
        place: Place,
        steps: Sequence[Step],
        path: Path,
        *,
        priority: int = 0,
        longest_s: float,
        on_text: Callable[[PartialText], None] | None = None,
    ) -> None:
        self._place = place
        self._pipeline = Pipeline(steps, place.pool, cache_dir=path.parent / "decoded")
        self._path = path
        self._priority = priority
        self._longest_s = longest_s
        self._on_text = on_text
        self._cancelled = threading.Event()
        self._work: Work | None = None

    async def open(self) -> float:
        """Decode the recording; return its seconds.

        Raises:
            AudioError: It cannot be used, or is too long.
            JobCancelledError: :meth:`cancel` was called.
        """
        self._work = await self._in_thread(self._open)
        return self._work.recording.duration_ms / 1000

    async def finish(self) -> Document:
        """Take the opened recording through all steps.

        Raises:
            Exception: What a job raised.
            JobCancelledError: :meth:`cancel` was called.
        """
        assert self._work is not None, "open() comes first"
        work = self._work
        return await self._in_thread(lambda: self._pipeline.finish(work))

    def cancel(self) -> None:
        """Stop what is under way, jobs that run too. From any thread."""
        self._cancelled.set()
        if self._work is not None:
            self._work.cancel()

    def _open(self) -> Work:
        while not self._place.decoding.acquire(timeout=LOOK_S):
            self._refuse_cancelled()
        try:
            self._refuse_cancelled()
            work = self._pipeline.open(
                self._path,
                on_text=self._on_text,
                check=self._refuse_cancelled,
                runner=lambda _recording, pool: _Ranked(pool, self._priority),
                longest_s=self._longest_s,
            )
        finally:
            self._place.decoding.release()
        self._work = work
        self._refuse_cancelled()
        return work

    def _refuse_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise JobCancelledError("the request was given up")

    async def _in_thread(self, function: Callable[[], T]) -> T:
        """Run in a thread. Cancelling the task stops the work, and returns when the thread has let go of it."""
        running = asyncio.get_running_loop().run_in_executor(self._place.threads, function)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self.cancel()
            await _ended(running)
            raise


async def _ended(running: asyncio.Future[Any]) -> None:
    """Wait for a thread's end, however often the waiting task is cancelled: files are removed behind it."""
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            continue
    if not running.cancelled():
        running.exception()  # looked at: nobody else will


class _Ranked:
    """A pool whose jobs of one request get lower ranks as they come."""

    def __init__(self, pool: Any, priority: int) -> None:
        self._pool = pool
        self._priority = priority
        self._submitted = 0

    def submit(self, job: Any, *, timeout_s: float | None = None) -> Any:
        return self._pool.submit(job, timeout_s=timeout_s, priority=self._next())

    def stream(self, job: Any, *, timeout_s: float | None = None) -> Any:
        return self._pool.stream(job, timeout_s=timeout_s, priority=self._next())

    def _next(self) -> int:
        rank = min(self._submitted, RANKS - 1)
        self._submitted += 1
        return self._priority * RANKS - rank

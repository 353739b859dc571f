"""Partial results as they come: a bounded buffer between the supervisor and whoever reads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec

from orchestrator.pool.futures import JobFuture
from orchestrator_worker import protocol

T = TypeVar("T")
MOST_CHUNKS = 1024
"""Chunks that wait for a reader; further ones are joined to the last, so nothing is lost."""


class Chunk(msgspec.Struct, frozen=True):
    """A piece of text. ``replaces`` > 0: so many characters before it are withdrawn first."""

    text: str
    final: bool = False
    replaces: int = 0

    def __str__(self) -> str:
        """Return the text, for ``print(chunk, end="")``."""
        return self.text


def join(last: Chunk, new: Chunk) -> Chunk:
    """Return one chunk that means the same as ``last`` and then ``new``."""
    kept = len(last.text) - new.replaces
    if kept >= 0:
        return Chunk(last.text[:kept] + new.text, new.final, last.replaces)
    return Chunk(new.text, new.final, last.replaces - kept)


class ChunkBuffer:
    """Chunks that came and were not read yet."""

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self.on_change: Callable[[], None] | None = None

    def put(self, chunk: Chunk) -> None:
        """Add one; never blocks."""
        with self._changed:
            if len(self._chunks) >= MOST_CHUNKS:
                chunk = join(self._chunks.pop(), chunk)
            self._chunks.append(chunk)
            self._tell()

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._ended = True
            self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        if self.on_change is not None:
            self.on_change()

    def take(self) -> Chunk | None:
        """Return the next chunk, waiting for it; None after the last."""
        with self._changed:
            while not self._chunks and not self._ended:
                self._changed.wait()
            return self._chunks.popleft() if self._chunks else None

    def take_now(self) -> tuple[Chunk | None, bool]:
        """Return the next chunk if there is one, and whether no more will come."""
        with self._changed:
            return (self._chunks.popleft(), False) if self._chunks else (None, self._ended)


class StreamFuture(JobFuture[T]):
    """A job's future that keeps the chunks too."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = ChunkBuffer()
        self.add_done_callback(_end_buffer)

    def add_chunk(self, chunk: protocol.Chunk) -> None:
        """Keep a chunk for the reader."""
        self.buffer.put(Chunk(chunk.text, chunk.final, chunk.replaces))


def _end_buffer(future: Any) -> None:
    future.buffer.end()


class JobStream(Generic[T]):
    """Iterates over a running job's chunks. Leaving early (``close``, end of a with block) cancels the job.

    A slow reader loses nothing: from 1,024 waiting chunks on, new text is joined to the last one. Iterating
    ends when the job has; an error of the job is raised there.
    """

    def __init__(self, future: StreamFuture[T]) -> None:
        self._future = future

    @property
    def future(self) -> JobFuture[T]:
        """The job's future."""
        return self._future

    @property
    def buffer(self) -> ChunkBuffer:
        """Chunks not read yet."""
        return self._future.buffer

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        chunk = self._future.buffer.take()
        if chunk is None:
            self._future.result()
            raise StopIteration
        return chunk

    def result(self, timeout: float | None = None) -> T:
        """Return the job's result, as :meth:`JobFuture.result`; unread chunks stay."""
        return self._future.result(timeout)

    def cancel(self) -> bool:
        """Cancel the job."""
        return self._future.cancel()

    def close(self) -> None:
        """Cancel the job unless it has ended."""
        self._future.cancel()

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

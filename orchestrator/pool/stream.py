"""Partial results as they come: a bounded buffer between the supervisor and whoever reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec

from orchestrator.pool.core.supervisor import MOST_UNREAD
from orchestrator.pool.futures import JobFuture
from orchestrator.process.uninterrupted import UninterruptedCondition
from orchestrator_worker import protocol

T = TypeVar("T")
MOST_CHUNKS = 1024
"""Chunks that wait for a reader; of more than that neighbours are joined, so nothing is lost."""


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
    """Chunks that came and were not read yet.

    ``on_room`` is called by whoever reads a full one half empty; it is full with more than :data:`MOST_UNREAD`
    characters.
    """

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque()
        self._changed = UninterruptedCondition()
        self._ended = False
        self._characters = 0
        self._full = False
        self.on_change: Callable[[], None] | None = None
        self.on_room: Callable[[], None] | None = None

    def put(self, chunk: Chunk) -> int:
        """Add one, without blocking; return how many characters wait now."""
        with self._changed:
            if len(self._chunks) >= MOST_CHUNKS:
                self._join_neighbours()
            self._chunks.append(chunk)
            self._characters += len(chunk.text)
            self._full = self._full or self._characters > MOST_UNREAD
            self._tell()
            return self._characters

    def _join_neighbours(self) -> None:
        """Make half as many chunks of them. Seldom, and so each character is copied a few times at most."""
        chunks = list(self._chunks)
        pairs = zip(chunks[::2], chunks[1::2], strict=True)
        self._chunks = deque(join(first, second) for first, second in pairs)
        self._characters = sum(len(chunk.text) for chunk in self._chunks)

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._ended = True
            self.on_room = None
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
            chunk, room = self._pop() if self._chunks else (None, False)
        self._say(room)
        return chunk

    def take_now(self) -> tuple[Chunk | None, bool]:
        """Return the next chunk if there is one, and whether no more will come."""
        with self._changed:
            if not self._chunks:
                return None, self._ended
            chunk, room = self._pop()
        self._say(room)
        return chunk, False

    def _pop(self) -> tuple[Chunk, bool]:
        chunk = self._chunks.popleft()
        self._characters -= len(chunk.text)
        room = self._full and self._characters <= MOST_UNREAD // 2
        self._full = self._full and not room
        return chunk, room

    def _say(self, room: bool) -> None:
        if room and self.on_room is not None:
            self.on_room()


class StreamFuture(JobFuture[T]):
    """A job's future that keeps the chunks too."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = ChunkBuffer()
        self.buffer.on_room = self._has_room
        self._reads_later = False
        self.add_done_callback(_end_buffer)

    def add_chunk(self, chunk: protocol.Chunk) -> int:
        """Keep a chunk for the reader; return how many characters wait for one."""
        return self.buffer.put(Chunk(chunk.text, chunk.final, chunk.replaces))

    @property
    def reads_later(self) -> bool:
        """Whether somebody waits for the result, and so reads no text meanwhile."""
        return self._reads_later

    def read_later(self) -> None:
        """Keep more text than usual from now on: the result is waited for first."""
        if not self._reads_later:
            self._reads_later = True
            self._has_room()

    def result(self, timeout: float | None = None) -> T:
        """Return the result, as :meth:`JobFuture.result`; unread chunks stay."""
        if not self.done():
            self.read_later()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the exception, as :meth:`JobFuture.exception`; unread chunks stay."""
        if not self.done():
            self.read_later()
        return super().exception(timeout)

    def _has_room(self) -> None:
        record, controller = self._record, self._controller
        if record is not None and controller is not None:
            controller.text_was_read(record)


def _end_buffer(future: Any) -> None:
    future.buffer.end()


class JobStream(Generic[T]):
    """Iterates over a running job's chunks. Leaving early (``close``, end of a with block) cancels the job.

    A slow reader loses nothing: of more than 1,024 waiting chunks neighbours are joined, and with a million characters
    unread the job's worker waits for the reader. While the caller waits in ``result()`` instead, and after the pool was
    closed, it does not wait; more than 64 million unread characters are then the job's :class:`JobError`. Iterating
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

    def read_later(self) -> None:
        """Let the job go on although nobody reads: its result is waited for first."""
        self._future.read_later()

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

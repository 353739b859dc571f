"""What an engine calls while it runs: times are stamped here, chunks are sent, a cancel is noticed."""

from __future__ import annotations

import threading
from time import perf_counter

from orchestrator_worker.framing import FramingError
from orchestrator_worker.pipe import Pipe
from orchestrator_worker.protocol import Cancel, Chunk, ChunkTimes, Returned, Run


class Emitter:
    """One job's :class:`orchestrator_worker.engines.base.Emit`. Never raises, so native callbacks may call it."""

    def __init__(self, pipe: Pipe, job_id: int, *, stream: bool) -> None:
        self._pipe = pipe
        self._job_id = job_id
        self._stream = stream
        self._cancelled = False
        self._open = True
        self._lock = threading.RLock()  # a job may have threads that emit
        self._chunks = 0
        self._first: float | None = None
        self._last: float | None = None
        self._characters_after_first = 0
        self._started = perf_counter()

    def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:
        """Stamp and send a chunk. Empty text is sent but is not the first text."""
        if not self._pipe.is_ours:
            return  # before the lock, which another thread may have held in the moment of the fork
        with self._lock:
            if not self._open:
                return
            if text:
                self._stamp(text, replaces)
            if not self._stream:
                return
            try:
                self._pipe.send(Chunk(self._job_id, text, final, replaces))
            except (FramingError, TypeError, UnicodeEncodeError):
                self._stream = False  # the whole text still comes with Done

    def close(self) -> None:
        """The job has ended: what its threads still emit goes nowhere, because nobody waits for it any more."""
        with self._lock:
            self._open = False

    def _stamp(self, text: str, replaces: int) -> None:
        now = perf_counter() - self._started
        self._chunks += 1
        if self._first is None:
            self._first = now
        else:
            self._characters_after_first += len(text) - replaces
        self._last = now

    @property
    def cancelled(self) -> bool:
        """True once the parent asked this job to stop."""
        if not self._pipe.is_ours:
            return False
        with self._lock:
            if self._open and not self._cancelled:
                self._look()
            return self._cancelled

    def _look(self) -> None:
        waiting = self._pipe.look()
        for command in [item for item in waiting if isinstance(item, Cancel | Run)]:
            waiting.remove(command)
            if isinstance(command, Run):
                self._pipe.send(Returned(command.id))
            else:
                self._cancelled = self._cancelled or command.id == self._job_id

    def finish(self, *, answered: bool) -> tuple[float, ChunkTimes]:
        """Return the seconds since the start and the chunk times.

        An engine that never emitted but has ``answered`` handed everything over at its return: that is then
        its one chunk.
        """
        seconds = perf_counter() - self._started
        if answered and self._first is None:
            self._chunks, self._first, self._last = 1, seconds, seconds
        times = ChunkTimes(self._chunks, self._first, self._last, max(0, self._characters_after_first))
        return seconds, times

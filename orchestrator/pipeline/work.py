"""The work on one recording: its jobs on the pool, a few of them under way, and a way to stop them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.errors import JobCancelledError, JobError, WorkerError
from orchestrator.pipeline.progress import RecordingProgress
from orchestrator.pipeline.recording import Recording
from orchestrator.pool.jobs import Job
from orchestrator.pool.stream import Chunk

JOBS_AHEAD = 16
"""Jobs of one recording under way: enough for the workers of one machine, few enough to hold seconds of audio."""


class JobRunner(Protocol):
    """What a pipeline needs of a pool; ``Pool`` and ``RayPool`` have it."""

    def submit(self, job: Job, *, timeout_s: float | None = None) -> Future[Any]:
        """Queue a job; its future's ``cancel()`` stops it even when it runs."""
        ...

    def stream(self, job: Job, *, timeout_s: float | None = None) -> RunningStream:
        """Queue a job whose text is wanted while it comes."""
        ...


class RunningStream(Protocol):
    """What a pipeline needs of a ``JobStream``."""

    @property
    def future(self) -> Future[Any]:
        """The job's future."""
        ...

    def __iter__(self) -> Iterator[Chunk]:
        """Iterate over text as it comes."""
        ...


@dataclass(frozen=True, slots=True)
class PartialText:
    """Text of a piece that is being transcribed: a chunk of it, or, when ``done``, the engine's whole text."""

    start_ms: int
    chunk: Chunk
    done: bool = False


class Work:
    """What a step may use besides the document.

    Args:
        recording: What is worked on.
        pool: Where its jobs run.
        timeout_s: For each job.
        on_text: Gets text while it comes, in order of time.
    """

    def __init__(
        self,
        recording: Recording,
        pool: JobRunner,
        timeout_s: float | None = None,
        on_text: Callable[[PartialText], None] | None = None,
    ) -> None:
        self.recording = recording
        self.progress = RecordingProgress(recording.source, recording.duration_ms)
        self._pool = pool
        self._timeout_s = timeout_s
        self._on_text = on_text
        self._under_way: deque[_Started] = deque()
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Stop what is under way; the step that waits for it raises ``JobCancelledError``. From any thread."""
        self._cancelled.set()
        for started in tuple(self._under_way):
            started.future.cancel()

    def results(self, jobs: Iterable[Job], *, text_from: Iterable[int] | None = None) -> Generator[Any]:
        """Yield the results of jobs in order, pulling ``jobs`` lazily and keeping some under way.

        ``text_from`` gives the start of each job's piece in milliseconds: text of these jobs is told while it comes.
        Closing the iterator cancels the rest, and so does an error that leaves the step: within a step that goes on,
        :func:`contextlib.closing` does.

        Raises:
            JobCancelledError: :meth:`cancel` was called.
            Exception: What a job raised.
        """
        starts = iter(text_from) if text_from is not None and self._on_text is not None else None
        with closing(self._in_turn(jobs, streaming=starts is not None)) as in_turn:
            for started in in_turn:
                if starts is not None:
                    self._tell(started, next(starts))
                yield started.future.result()

    def outcomes(self, jobs: Iterable[Job]) -> Generator[Any]:
        """Yield as :meth:`results` does, and in place of a result what a job of its own raised or its worker died of.

        Raises:
            JobCancelledError: :meth:`cancel` was called.
            Exception: What the other jobs would meet as well: a closed pool, an engine that is not there.
        """
        with closing(self._in_turn(jobs, streaming=False)) as in_turn:
            for started in in_turn:
                yield _outcome(started.future)

    def outcome(self, job: Job) -> Any:
        """Run one job more, while others are under way; returns and raises as :meth:`outcomes`."""
        self.refuse_cancelled()
        started = self._start(job, streaming=False)
        self._under_way.append(started)
        try:
            return _outcome(started.future)
        finally:
            self._under_way.remove(started)

    def _in_turn(self, jobs: Iterable[Job], *, streaming: bool) -> Generator[_Started]:
        """Yield the jobs in order, to be waited for; the next are begun meanwhile."""
        pending = iter(jobs)
        try:
            while True:
                self._fill(pending, streaming=streaming)
                if not self._under_way:
                    return
                yield self._under_way[0]
                self._under_way.popleft()
        finally:
            for started in self._under_way:
                started.future.cancel()
            self._under_way.clear()

    def _fill(self, pending: Iterator[Job], *, streaming: bool) -> None:
        while len(self._under_way) < JOBS_AHEAD and (job := next(pending, None)) is not None:
            self.refuse_cancelled()
            self._under_way.append(self._start(job, streaming=streaming))
        self.refuse_cancelled()

    def _start(self, job: Job, *, streaming: bool) -> _Started:
        if not streaming:
            return _Started(self._pool.submit(job, timeout_s=self._timeout_s))
        stream = self._pool.stream(job, timeout_s=self._timeout_s)
        return _Started(stream.future, stream)

    def refuse_cancelled(self) -> None:
        """Raise ``JobCancelledError`` when :meth:`cancel` was called; for steps that take long without a job."""
        if self._cancelled.is_set():
            raise JobCancelledError("the work on this recording was cancelled")

    def _tell(self, started: _Started, start_ms: int) -> None:
        assert self._on_text is not None
        assert started.stream is not None
        for chunk in started.stream:
            self._on_text(PartialText(start_ms, chunk))
        whole = started.future.result().text
        self._on_text(PartialText(start_ms, Chunk(whole, final=True), done=True))


def _outcome(future: Future[Any]) -> Any:
    try:
        return future.result()
    except JobCancelledError:
        raise
    except (JobError, WorkerError) as error:
        return error


@dataclass(frozen=True, slots=True)
class _Started:
    future: Future[Any]
    stream: RunningStream | None = None

"""A pool without processes: answers jobs by rule, on the calling thread or when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import JobCancelledError
from orchestrator.pool.jobs import EngineJob, Job
from orchestrator.pool.results import AlignmentResult, Timings, Transcription, WorkerTag
from orchestrator.pool.stream import Chunk
from orchestrator_worker.protocol import Word

TIMINGS = Timings(0.0, 0.1)
WORKER = WorkerTag(0, 1, 1, "m")


def transcription(text: str, language: str | None = "en", words: list[Word] | None = None) -> Transcription:
    return Transcription(text, language, words or [], TIMINGS, WORKER)


def alignment(text: str, skipped: list[str] | None = None) -> AlignmentResult:
    words = [Word(word, 100 * index, 100 * index + 90) for index, word in enumerate(text.split())]
    return AlignmentResult(words, [], skipped or [], TIMINGS, WORKER)


class FakeStream:
    def __init__(self, future: Future[Any], chunks: list[str]) -> None:
        self.future = future
        self._chunks = chunks

    def __iter__(self) -> Iterator[Chunk]:
        yield from map(Chunk, self._chunks)


class CancellableFuture(Future[Any]):
    """As the pool's: cancelling a job that waits ends it with the package's own error."""

    def cancel(self) -> bool:
        if self.done():
            return False
        self.set_exception(JobCancelledError("cancelled"))
        return True


@dataclass
class FakePool:
    """``answer`` makes the result of a job (or raises); ``held`` jobs stay unanswered until ``release``."""

    answer: Callable[[EngineJob], Any]
    hold: bool = False
    jobs: list[EngineJob] = field(default_factory=list)
    held: list[tuple[EngineJob, Future[Any]]] = field(default_factory=list)
    submitted: threading.Event = field(default_factory=threading.Event)

    def submit(self, job: Job, *, timeout_s: float | None = None) -> Future[Any]:
        assert isinstance(job, EngineJob)
        assert timeout_s is None or timeout_s > 0
        self.jobs.append(job)
        future: Future[Any] = CancellableFuture()
        if self.hold:
            self.held.append((job, future))
        else:
            self._settle(job, future)
        self.submitted.set()
        return future

    def stream(self, job: Job, *, timeout_s: float | None = None) -> FakeStream:
        future = self.submit(job, timeout_s=timeout_s)
        text = future.result().text if not self.hold else ""
        return FakeStream(future, [word + " " for word in text.split()])

    def release(self) -> None:
        self.hold = False
        for job, future in self.held:
            self._settle(job, future)

    def _settle(self, job: EngineJob, future: Future[Any]) -> None:
        try:
            future.set_result(self.answer(job))
        except Exception as error:
            future.set_exception(error)

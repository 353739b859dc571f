"""Steps, one after the other, for one recording or for many."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from orchestrator.pipeline.alignment import AlignWords
from orchestrator.pipeline.document import Document
from orchestrator.pipeline.progress import AUDIO_DONE
from orchestrator.pipeline.recording import Recording
from orchestrator.pipeline.steps import Recognize, Step
from orchestrator.pipeline.work import JobRunner, PartialText, Work
from orchestrator.pool.submission.checked_options import default_cache_dir

AUDIO_STEPS = (Recognize, AlignWords)
"""Steps that go through the audio; the others take no time worth showing."""
RECORDINGS_AHEAD = 4
"""Recordings that ``map`` works on at a time: enough that one's last piece leaves no worker idle."""


class Pipeline:
    """Runs steps over recordings, on a pool.

    ::

        with Pool("experiments.toml", profile="embedded", workers=2) as pool:
            pipeline = Pipeline([Recognize("asr-small"), AlignWords("aligner")], pool)
            document = pipeline.run("talk.mp4")
            for document in pipeline.map(folder.glob("*.mp3")):
                ...

    Args:
        steps: Called in order, each with the document that the one before made.
        pool: Where jobs run; the caller opens and closes it.
        timeout_s: For each job.
        cache_dir: Where converted audio is kept. Default: the pool's own default.

    Safe from several threads, as the pool is.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        pool: JobRunner,
        *,
        timeout_s: float | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if not steps:
            raise ValueError("a pipeline needs at least one step, such as Recognize('asr-small')")
        self._steps = tuple(steps)
        self._pool = pool
        self._timeout_s = timeout_s
        self._cache_dir = Path(cache_dir) if cache_dir is not None else default_cache_dir()

    def run(
        self, path: str | os.PathLike[str], *, on_text: Callable[[PartialText], None] | None = None
    ) -> Document:
        """Take one recording through all steps.

        ``on_text`` is called in this thread with text while it comes.

        Raises:
            AudioError: The recording cannot be used.
            Exception: What a job raised; the other jobs of the recording are cancelled.
        """
        return self.finish(self.open(path, on_text=on_text))

    def open(
        self,
        path: str | os.PathLike[str],
        *,
        on_text: Callable[[PartialText], None] | None = None,
        cache_dir: Path | None = None,
        check: Callable[[], None] = lambda: None,
        runner: Callable[[Recording, JobRunner], JobRunner] | None = None,
        longest_s: float | None = None,
    ) -> Work:
        """Return the work on one recording, not begun: :meth:`finish` does it, ``cancel()`` stops it.

        A converted copy goes to ``cache_dir``, by default to the pipeline's; ``check`` is called now and then while it
        is made, and may raise. ``runner`` makes what the recording's jobs run on: something around the pool.
        A recording may have ``longest_s`` seconds.

        Raises:
            AudioTooLongError: It has more.
            AudioError: The recording cannot be used.
        """
        recording = Recording(Path(path), cache_dir or self._cache_dir, check, longest_s)
        pool = self._pool if runner is None else runner(recording, self._pool)
        return Work(recording, pool, self._timeout_s, on_text)

    def finish(self, work: Work) -> Document:
        """Take an opened recording through all steps.

        Raises:
            Exception: What a step raised; no job of the recording is under way any more.
        """
        document = Document.of(work.recording)
        on_audio = [isinstance(step, AUDIO_STEPS) for step in self._steps]
        try:
            with AUDIO_DONE.working_on(work.progress, sum(on_audio)):
                for step, works_on_audio in zip(self._steps, on_audio, strict=True):
                    document = step(document, work)
                    if works_on_audio:
                        work.progress.end_of_pass()
        except BaseException:
            work.cancel()  # a step may have left its iterator of jobs open, and the traceback holds that
            raise
        return document

    def map(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        ahead: int = RECORDINGS_AHEAD,
        errors: Literal["raise", "return"] = "raise",
    ) -> Iterator[Any]:
        """Yield the documents of many recordings in order, ``ahead`` of them under way; pulls lazily.

        ``errors="return"`` yields a recording's exception in its place; else the first is raised. Closing the iterator
        stops what is under way.
        """
        if ahead < 1:
            raise ValueError(f"ahead={ahead}: at least 1")
        if errors not in {"raise", "return"}:
            raise ValueError(f"errors={errors!r}: 'raise' or 'return'")
        return self._map(paths, ahead, errors)

    def _map(self, paths: Iterable[str | os.PathLike[str]], ahead: int, errors: str) -> Iterator[Any]:
        waiting: deque[_UnderWay] = deque()
        with ThreadPoolExecutor(ahead, thread_name_prefix="recording") as threads:
            try:
                for path in paths:
                    under_way = _UnderWay(self, path)
                    waiting.append(under_way)
                    under_way.future = threads.submit(under_way.run)
                    if len(waiting) >= ahead:
                        yield waiting[0].outcome(errors)
                        waiting.popleft()
                while waiting:
                    yield waiting[0].outcome(errors)
                    waiting.popleft()
            finally:
                for under_way in waiting:
                    under_way.cancel()


class _UnderWay:
    """One recording of ``map``: a thread takes it through the steps, and anybody may stop it."""

    def __init__(self, pipeline: Pipeline, path: str | os.PathLike[str]) -> None:
        self._pipeline = pipeline
        self._path = path
        self._lock = threading.Lock()
        self._work: Work | None = None
        self._cancelled = False
        self.future: Future[Document] = Future()

    def run(self) -> Document:
        """Take the recording through all steps."""
        work = self._pipeline.open(self._path)
        with self._lock:
            self._work = work
            if self._cancelled:
                work.cancel()
        return self._pipeline.finish(work)

    def cancel(self) -> None:
        """Stop the work, begun or not."""
        self.future.cancel()
        with self._lock:
            self._cancelled = True
            if self._work is not None:
                self._work.cancel()

    def outcome(self, errors: str) -> Any:
        """Wait for the document; an error is raised or returned."""
        error = self.future.exception()
        if error is not None and errors == "raise":
            raise error
        return error or self.future.result()

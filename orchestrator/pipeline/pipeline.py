"""Steps, one after the other, for one recording or for many."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from orchestrator.pipeline.document import Document
from orchestrator.pipeline.recording import Recording
from orchestrator.pipeline.steps import Step
from orchestrator.pipeline.work import JobRunner, PartialText, Work
from orchestrator.pool.engine_room import default_cache_dir

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
    ) -> Work:
        """Return the work on one recording, not begun: :meth:`finish` does it, ``cancel()`` stops it.

        A converted copy goes to ``cache_dir``, by default to the pipeline's.

        Raises:
            AudioError: The recording cannot be used.
        """
        return Work(Recording(Path(path), cache_dir or self._cache_dir), self._pool, self._timeout_s, on_text)

    def finish(self, work: Work) -> Document:
        """Take an opened recording through all steps."""
        document = Document.of(work.recording)
        for step in self._steps:
            document = step(document, work)
        return document

    def map(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        ahead: int = RECORDINGS_AHEAD,
        errors: Literal["raise", "return"] = "raise",
    ) -> Iterator[Any]:
        """Yield the documents of many recordings in order, ``ahead`` of them under way; pulls lazily.

        ``errors="return"`` yields a recording's exception in its place; else the first is raised.
        """
        if ahead < 1:
            raise ValueError(f"ahead={ahead}: at least 1")
        waiting: deque[Future[Document]] = deque()
        with ThreadPoolExecutor(ahead, thread_name_prefix="recording") as threads:
            try:
                for path in paths:
                    waiting.append(threads.submit(self.run, path))
                    if len(waiting) >= ahead:
                        yield _outcome(waiting.popleft(), errors)
                while waiting:
                    yield _outcome(waiting.popleft(), errors)
            finally:
                for future in waiting:
                    future.cancel()


def _outcome(future: Future[Document], errors: str) -> Any:
    error = future.exception()
    if error is not None and errors == "raise":
        raise error
    return error or future.result()

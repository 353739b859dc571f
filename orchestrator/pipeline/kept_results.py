"""What jobs of one recording have given so far, on disk: a killed command goes on where it stood.

One line of JSON for each job that ended well, appended when it ends. A job is known by all that its result follows
from: its kind, model, language, options, text and samples; the file by the recording's bytes and the models'
definitions. A line that a kill cut off is no line. Nothing is kept of a job that failed.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.audio.cache import make_private, prune
from orchestrator.files.reading import open_regular
from orchestrator.pipeline.work import JobRunner, RunningStream
from orchestrator.pool.jobs import AudioArray, EngineJob, Job
from orchestrator.pool.models import Model
from orchestrator.pool.results import AlignmentResult, Transcription
from orchestrator.pool.stream import Chunk

ENDING = ".jsonl"
_LONGEST_LINE_BYTES = 64 << 20
_OF_THE_WORKERS = frozenset({"threads", "threads_note"})


class _Line(msgspec.Struct, frozen=True):
    job: str
    heard: Transcription | None = None
    aligned: AlignmentResult | None = None


class KeptResults:
    """Results by their job, in a file that only its owner may read.

    Raises:
        OSError: The file cannot be read or made, or something else than a file is in its place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: dict[str, Any] = {}
        make_private(path.parent)
        self._descriptor = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._read()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _read(self) -> None:
        with open(self._descriptor, "rb", closefd=False) as file:
            cut = False
            while raw := file.readline(_LONGEST_LINE_BYTES):
                cut = not raw.endswith(b"\n")
                try:
                    line = msgspec.json.decode(raw, type=_Line)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    continue
                if (result := line.heard or line.aligned) is not None:
                    self._kept[line.job] = result
        if cut:
            os.write(self._descriptor, b"\n")

    def get(self, job: str) -> Transcription | AlignmentResult | None:
        """Return what a job gave, or None."""
        with self._lock:
            return self._kept.get(job)

    def put(self, job: str, result: object) -> None:
        """Keep what a job gave. A full disk costs what is kept, not the work: from then on nothing is kept."""
        if isinstance(result, Transcription):
            line = _Line(job, heard=result)
        elif isinstance(result, AlignmentResult):
            line = _Line(job, aligned=result)
        else:
            return
        raw = msgspec.json.encode(line) + b"\n"
        with self._lock:
            self._kept[job] = result
            if self._descriptor >= 0:
                try:
                    os.write(self._descriptor, raw)
                except OSError:
                    self._close()

    def __len__(self) -> int:
        return len(self._kept)

    def close(self) -> None:
        """Close the file; it stays."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def remove(self) -> None:
        """Close the file and remove it: the work is done."""
        self.close()
        self._path.unlink(missing_ok=True)


class KeepingRunner:
    """A pool for the jobs of one recording: what was kept is answered at once, what is new is kept.

    Args:
        pool: Where jobs run.
        kept: None keeps nothing.
        whole: The path under which a job gets the whole recording.
        restart: Called when, after jobs that were kept, the first new one has ended: work goes on from there.
    """

    def __init__(
        self, pool: JobRunner, kept: KeptResults | None, whole: str, restart: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._kept = kept
        self._whole = whole
        self._restart = restart
        self._answered = False

    def submit(self, job: Job, *, timeout_s: float | None = None) -> Future[Any]:
        """As the pool's."""
        found, key = self._found(job)
        if found is not None:
            return found
        future = self._pool.submit(job, timeout_s=timeout_s)
        self._watch(future, key)
        return future

    def stream(self, job: Job, *, timeout_s: float | None = None) -> RunningStream:
        """As the pool's; what was kept comes without its text in between."""
        found, key = self._found(job)
        if found is not None:
            return _KeptStream(found)
        stream = self._pool.stream(job, timeout_s=timeout_s)
        self._watch(stream.future, key)
        return stream

    def _found(self, job: Job) -> tuple[Future[Any] | None, str]:
        if self._kept is None:
            return None, ""
        key = key_of(job, self._whole)
        result = self._kept.get(key) if key else None
        if result is None:
            return None, key
        future: Future[Any] = Future()
        future.set_result(result)
        self._answered = True
        return future, key

    def _watch(self, future: Future[Any], key: str) -> None:
        def keep(done: Future[Any]) -> None:
            if done.cancelled() or done.exception() is not None:
                return
            if self._kept is not None and key:
                self._kept.put(key, done.result())
            if self._answered:
                self._answered = False
                self._restart()

        future.add_done_callback(keep)


class _KeptStream:
    def __init__(self, future: Future[Any]) -> None:
        self.future = future

    def __iter__(self) -> Iterator[Chunk]:
        return iter(())


def key_of(job: Job, whole: str) -> str:
    """Return by what a job of one recording is known; nothing where its audio is not the recording's own.

    ``whole`` is the path of the whole recording.
    """
    if not isinstance(job, EngineJob):
        return ""
    said = [job.task, job.model, job.language, dict(job.options), job.text]
    found = hashlib.sha256(msgspec.json.encode(said, order="deterministic", enc_hook=repr))
    if isinstance(job.audio, AudioArray):
        found.update(f"{job.audio.rate_hz} {job.audio.samples.dtype}".encode())
        found.update(job.audio.samples.tobytes())
    elif job.audio != whole:
        return ""
    return found.hexdigest()


def place_of(folder: Path, sha256: str, models: Sequence[Model], settings: Sequence[object]) -> Path:
    """Return the file of a recording's results: another one for other models, model files or settings.

    How many threads a model has is not part of it: it follows from the number of workers, and other ``--workers`` go
    on where the command stood.
    """
    files = [_stamp(model.file) for model in models]
    said = [sha256, [_definition(model) for model in models], files, list(settings)]
    raw = msgspec.json.encode(said, order="deterministic", enc_hook=str)
    return folder / f"{hashlib.sha256(raw).hexdigest()[:40]}{ENDING}"


def _definition(model: Model) -> dict[str, Any]:
    fields = msgspec.structs.asdict(model)
    return {name: value for name, value in fields.items() if name not in _OF_THE_WORKERS}


def _stamp(file: str | os.PathLike[str] | None) -> tuple[int, int] | None:
    try:
        status = Path(file).stat() if file else None
    except OSError:
        return None
    return None if status is None else (status.st_size, status.st_mtime_ns)


def tidy(folder: Path) -> None:
    """Remove what is too old, or too much, of commands that nobody went on with."""
    prune(folder)

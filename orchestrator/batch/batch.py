"""The work of a batch: claims recordings from the journal and takes each from audio to files.

Several recordings are under way at a time, each in a thread that waits while the pool works. What an error
means for its recording is decided here: an input at fault has failed; a worker that died, hung or spoke nonsense
gets its recording tried again, and the recording is set aside as poisoned after so many attempts; what would hit
every recording alike (a full disk, a missing engine) ends the batch, and nothing is lost. What the machine lacks
for one recording (ffmpeg, memory or descriptors while it is decoded) is not counted: it is tried again, or waits
for the next command. An exception that nobody foresaw belongs to its recording, not to the batch.
"""

from __future__ import annotations

import shutil
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from orchestrator.audio.cache import private_folder, sweep
from orchestrator.batch.changes import look_at
from orchestrator.batch.journal import Entry, Journal
from orchestrator.batch.outputs import discard, put_in_place, stage
from orchestrator.errors import (
    EngineUnavailableError,
    JobCancelledError,
    JobPoisonedError,
    ModelOutOfUseError,
    NotDecodedError,
    OrchestratorError,
    PoolClosedError,
    ResultsError,
    WorkerError,
)
from orchestrator.files.writing import write_problem
from orchestrator.pipeline import Document, Pipeline, ReadingSpeed, Work, render
from orchestrator.pipeline.piece_warnings import told

DEFAULT_ATTEMPTS = 3
PAUSES_S = (1.0, 4.0, 15.0, 60.0)
"""Between two tries of a recording for which the system had no descriptors or no memory; then it is left for later."""
COPIES, OLD_COPIES = ".converting-", ".converted"
FATAL = (EngineUnavailableError, ModelOutOfUseError, PoolClosedError, ResultsError)
"""Errors that say nothing about the recording: with the next one they would come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How a batch is done. Copies of recordings that workers cannot read lie in a private folder in ``folder``.

    Each recording's copy is removed as soon as its work has ended: a thousand hours would fill any disk.

    Args:
        folder: Where outputs go.
        formats: Outcomes of the outputs of each recording.
        layout: How subtitles are laid out; None is the usual.
        max_attempts: How often a recording is tried whose worker dies or hangs.
        ahead: Recordings under way at a time.
    """

    folder: Path
    formats: Sequence[str] = ("txt",)
    layout: ReadingSpeed | None = None
    max_attempts: int = DEFAULT_ATTEMPTS
    ahead: int = 4


class Watcher(Protocol):
    """Told what becomes of recordings; called from the batch's threads, one at a time."""

    def ended(self, entry: Entry, document: Document | None, reason: str) -> None:
        """Take a recording that is at its end: ``document`` when done, else the reason."""
        ...

    def tried(self, entry: Entry, reason: str) -> None:
        """Take a recording that will be tried again."""
        ...


@dataclass
class Batch:
    """See the module.

    Args:
        journal: Open; with its recordings registered.
        pipeline_for: The pipeline for a recording, by its language and whether its text is given.
        settings: How.
        watcher: Who is told.
    """

    journal: Journal
    pipeline_for: Callable[[Entry], Pipeline]
    settings: BatchSettings
    watcher: Watcher
    _works: dict[int, Work] = field(default_factory=dict[int, Work], init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _later: set[int] = field(default_factory=set[int], init=False)
    _pauses: dict[int, int] = field(default_factory=dict[int, int], init=False)
    _converted: Path = field(init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def run(self) -> None:
        """Work until no recording waits.

        Raises:
            OrchestratorError: What would hit every recording; the journal is as far as the work was.
            BaseException: What interrupted the calling thread; recordings under way wait again.
        """
        shutil.rmtree(self.settings.folder / OLD_COPIES, ignore_errors=True)
        sweep(self.settings.folder, COPIES)  # what a kill left
        with ExitStack() as stack:
            try:
                self._converted = stack.enter_context(private_folder(self.settings.folder, COPIES))
            except OSError as error:
                raise write_problem(self.settings.folder, error, elsewhere="--out DIR") from error
            self._run()

    def _run(self) -> None:
        with ThreadPoolExecutor(self.settings.ahead, thread_name_prefix="recording") as threads:
            running = [threads.submit(self._work_on) for _ in range(self.settings.ahead)]
            try:
                done, _ = wait(running, return_when=FIRST_EXCEPTION)
            finally:
                self.stop()
        for future in [*done, *running]:
            future.result()

    def stop(self) -> None:
        """End the batch early: what is under way is cancelled and waits again."""
        self._stopped.set()
        with self._lock:
            for work in self._works.values():
                work.cancel()

    def _work_on(self) -> None:
        try:
            while not self._stopped.is_set() and (entry := self._claim()) is not None:
                self._take(entry)
        except BaseException:
            self.stop()
            raise

    def _claim(self) -> Entry | None:
        with self._lock:
            later = frozenset(self._later)
        return self.journal.claim(later)

    def _take(self, entry: Entry) -> None:
        """Take one recording to an end, or back to waiting."""
        try:
            document = self._do(entry)
        except FATAL:
            self.journal.wait_again(entry, "interrupted", "", counted=False)
            raise
        except NotDecodedError as error:
            self._do_later(entry, error)
        except JobCancelledError:
            self.journal.wait_again(entry, "interrupted", "", counted=False)
            if not self._stopped.is_set():
                raise
        except OrchestratorError as error:
            self._judge(entry, error)
        except Exception as error:  # noqa: BLE001 - the next recordings have nothing to do with it
            self._give_up(entry, unforeseen(entry, error))
        except BaseException:
            self.journal.wait_again(entry, "interrupted", "", counted=False)
            raise
        else:
            self._tell(lambda: self.watcher.ended(entry, document, ""))

    def _do(self, entry: Entry) -> Document:
        converted = self._converted / str(entry.id)
        try:
            document = self._through_the_pipeline(entry, converted)
        finally:
            shutil.rmtree(converted, ignore_errors=True)
        document = msgspec.structs.replace(document, source=Path(entry.path).name)
        self._write(entry, document)
        return document

    def _through_the_pipeline(self, entry: Entry, converted: Path) -> Document:
        pipeline = self.pipeline_for(entry)
        seen = look_at(entry.path)
        self.journal.began(entry, seen, None)
        work = pipeline.open(entry.path, cache_dir=converted, check=self._refuse_stopped)
        self.journal.began(entry, seen, work.recording.sha256)
        with self._lock:
            self._works[entry.id] = work
        try:
            if self._stopped.is_set():
                work.cancel()
            return pipeline.finish(work)
        finally:
            with self._lock:
                del self._works[entry.id]

    def _refuse_stopped(self) -> None:
        if self._stopped.is_set():
            raise JobCancelledError("the batch was stopped")

    def _write(self, entry: Entry, document: Document) -> None:
        outputs = {
            path: render(document, each, self.settings.layout).encode(errors="replace")
            for path, each in zip(_outputs_of(entry, self.settings), self.settings.formats, strict=True)
        }
        hashes = stage(outputs, self.settings.folder)
        self.journal.writing(entry, hashes, told(document.warnings))
        if not put_in_place(hashes, self.settings.folder):
            raise ResultsError(f"{self.settings.folder}: outputs vanish while they are being written")
        self.journal.done(entry)

    def _do_later(self, entry: Entry, error: NotDecodedError) -> None:
        """Put back a recording that is not at fault.

        Without ffmpeg it waits for the next command; a passing shortage is waited for, longer each time; on a full
        disk the next recording would fare no better.

        Raises:
            ResultsError: The disk is full.
        """
        reason = str(error)
        self.journal.wait_again(entry, "not decoded", reason, counted=False)
        if error.shortage == "disk":
            raise ResultsError(f"{reason}; the same command goes on") from error
        with self._lock:
            pauses = self._pauses[entry.id] = self._pauses.get(entry.id, 0) + 1
            if error.shortage == "ffmpeg" or pauses > len(PAUSES_S):
                self._later.add(entry.id)
        self._tell(lambda: self.watcher.tried(entry, reason))
        if error.shortage == "system" and pauses <= len(PAUSES_S):
            self._stopped.wait(PAUSES_S[pauses - 1])

    def _give_up(self, entry: Entry, reason: str) -> None:
        self.journal.failed(entry, reason, poisoned=False)
        self._tell(lambda: self.watcher.ended(entry, None, reason))

    def _judge(self, entry: Entry, error: OrchestratorError) -> None:
        """Decide between another attempt and giving the recording up."""
        reason = str(error)
        again = isinstance(error, WorkerError)
        tried_out = entry.attempts >= self.settings.max_attempts or isinstance(error, JobPoisonedError)
        if again and not tried_out:
            self.journal.wait_again(entry, "worker lost", reason)
            self._tell(lambda: self.watcher.tried(entry, reason))
        else:
            self.journal.failed(entry, reason, poisoned=again)
            self._tell(lambda: self.watcher.ended(entry, None, reason))

    def _tell(self, tell: Callable[[], None]) -> None:
        with self._lock:
            tell()


def unforeseen(entry: Entry, error: Exception) -> str:
    """Return the reason of a recording at which something went wrong that nobody foresaw, with where it did."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
    words = " ".join(str(error).split())[:300]
    return f"{entry.path}: unexpected {type(error).__name__}{where}: {words}; please report it"


def recover(journal: Journal, settings: BatchSettings) -> int:
    """Bring recordings that a kill left halfway to a state to go on from; return how many are done after all."""
    finished = 0
    for entry in journal.in_state("running", "writing"):
        if entry.state == "writing" and put_in_place(entry.outputs, settings.folder):
            journal.done(entry)
            finished += 1
        else:  # killed before ``writing``, the journal does not know of what was staged
            discard([*entry.outputs, *(str(path) for path in _outputs_of(entry, settings))])
            journal.wait_again(entry, "interrupted", "", counted=False)
    return finished


def _outputs_of(entry: Entry, settings: BatchSettings) -> list[Path]:
    """Return where a recording's outputs go, one for each format."""
    return [settings.folder / f"{entry.name}.{each}" for each in settings.formats]

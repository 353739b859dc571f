"""How a batch is going: one line of progress, or a live block on a terminal; failures as they happen."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from orchestrator.batch.changes import look_at
from orchestrator.cli.pipeline_setup import shown
from orchestrator.cli.streams import OutputError
from orchestrator.cli.terminal.progress import duration

if TYPE_CHECKING:
    from rich.live import Live

    from orchestrator.batch import Counts, Entry
    from orchestrator.pipeline import Document
    from orchestrator.pipeline.progress import AudioDone

PLAIN_INTERVAL_S = 10.0
LIVE_INTERVAL_S = 0.5
MB = 1024 * 1024


class BatchDisplay:
    """Tells how a batch is going, on stderr.

    Args:
        counts: Returns the present states of the recordings.
        stats: Returns the pool's present statistics (``PoolStats``), or None when there are none to show.
        quiet: Only failures.
        bytes_left: Of the recordings that are to be done; what the time left is told by.
        audio: How far the recordings are; that of this process.
    """

    def __init__(
        self,
        counts: Callable[[], Counts],
        stats: Callable[[], Any],
        *,
        quiet: bool,
        bytes_left: int = 0,
        audio: AudioDone | None = None,
    ) -> None:
        self._counts = counts
        self._stats = stats
        self._quiet = quiet
        self._began_s = time.monotonic()
        self._bytes_left = bytes_left
        self._bytes_done = 0
        self._audio = audio or _audio_done()
        self._audio_before_s = self._audio.done_s
        self._over = threading.Event()
        self._teller: threading.Thread | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if not self._quiet:
            if sys.stderr.isatty():
                self._live = _new_live()
                self._live.start()
            self._teller = threading.Thread(target=self._keep_telling, name="progress", daemon=True)
            self._teller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._teller is not None:
            self._teller.join()
        if self._live is not None:
            self._live.stop()

    def ended(self, entry: Entry, document: Document | None, reason: str) -> None:
        """Count a recording; name one that failed."""
        self._bytes_done += look_at(entry.path)[0]
        if document is None:
            self._say(f"failed: {with_path(entry, reason)}")
            return
        from orchestrator.pipeline.piece_warnings import told

        for words in [*document.notes, *told(document.warnings)]:
            self._say(f"{entry.path}: {words}")

    def tried(self, entry: Entry, reason: str) -> None:
        """Name a recording that will be tried again."""
        first = reason.splitlines()[0].removeprefix(f"{entry.path}: ") if reason else "no reason given"
        self._say(f"attempt {entry.attempts} of {entry.path}: {first}; it will be tried again")

    def lines(self) -> list[str]:
        """Return the progress in words."""
        counts = self._counts()
        elapsed_s = max(1e-9, time.monotonic() - self._began_s)
        audio_s = self._audio.done_s - self._audio_before_s
        failed = counts.failed + counts.poisoned
        first = (
            f"{counts.done}/{counts.total} done"
            + (f", {failed} failed" if failed else "")
            + f"; {duration(audio_s)} of audio, {audio_s / elapsed_s:.3g} × real time"
            + self._left(counts, elapsed_s)
        )
        return [first, *_pool_lines(self._stats())]

    def _left(self, counts: Counts, elapsed_s: float) -> str:
        """Return the time left, by the bytes of recordings: how long those are that wait is not known."""
        under_way = sum(each.share * look_at(each.source)[0] for each in self._audio.under_way())
        done = self._bytes_done + under_way
        if not counts.left or not done:
            return ""
        return f", {duration(max(0.0, self._bytes_left - done) / done * elapsed_s)} left"

    def _keep_telling(self) -> None:
        interval_s = LIVE_INTERVAL_S if self._live is not None else PLAIN_INTERVAL_S
        with suppress(OutputError):  # the command hears of it by its own next line
            while not self._over.wait(interval_s):
                lines = self.lines()
                if self._live is not None:
                    self._live.update("\n".join(lines), refresh=True)
                else:
                    self._say("; ".join(lines))

    def _say(self, words: str) -> None:
        words = shown(words)
        if self._live is not None:
            self._live.console.print(words, markup=False, highlight=False)
        else:
            print(words, file=sys.stderr, flush=True)


def _audio_done() -> AudioDone:
    from orchestrator.pipeline.progress import AUDIO_DONE

    return AUDIO_DONE


def _new_live() -> Live:
    from rich.live import Live

    from orchestrator.cli.terminal.drawing import console_on

    return Live(console=console_on(sys.stderr), transient=True, auto_refresh=False)


def _pool_lines(stats: Any) -> list[str]:
    """Return memory per worker and why workers left."""
    if stats is None:
        return []
    workers = [
        f"{worker.model} {worker.rss_bytes / MB:.0f} MB"
        for slot in stats.slots
        if (worker := slot.worker) is not None
    ]
    exits = [f"{reason} {count}" for reason, count in sorted(stats.exits.items()) if count]
    return [
        f"workers: {', '.join(workers) or 'none'}" + (f"; left: {', '.join(exits)}" if exits else ""),
    ]


def with_path(entry: Entry, reason: str) -> str:
    """Return a reason that names its recording, once."""
    return reason if reason.startswith(entry.path) else f"{entry.path}: {reason}"

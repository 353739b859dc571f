"""One recording after the other, as ``transcribe`` does it: what is done is kept, told, and shown while it grows.

::

    jobs ── KeepingRunner ──▶ pool            results also go to a file in the cache: the same command goes on
    text while it comes ──▶ terminal          with per cent and time left
    finished pieces ──▶ OUT.partial           renamed to OUT when the whole is there
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from orchestrator.cli.pipeline_setup import PipelineOptions, named, say
from orchestrator.cli.streams import OutputError
from orchestrator.cli.terminal.progress import duration

if TYPE_CHECKING:
    from orchestrator.pipeline import Document, PartialText, Pipeline, Work
    from orchestrator.pipeline.kept_results import KeptResults
    from orchestrator.pipeline.recording import Recording
    from orchestrator.pool.models import Model

STDIN = Path("-")
STDIN_NAME = Path("stdin")
PLAIN_INTERVAL_S = 10.0
_READ_BYTES = 1 << 20


def refuse_urls(files: Sequence[Path]) -> None:
    """Refuse what is no file but a URL, before any work.

    Raises:
        typer.BadParameter: Names it.
    """
    from orchestrator.audio import url_in, url_problem

    for file in files:
        if url := url_in(str(file)):
            problem, hint = url_problem(url)
            raise typer.BadParameter(f"{url} {problem}; {hint}")


@contextlib.contextmanager
def stdin_as_file(files: Sequence[Path]) -> Generator[dict[Path, Path]]:
    """Give the files to read: for ``-`` a private copy of standard input, gone at the end.

    Raises:
        typer.BadParameter: It is a terminal, empty, or asked for twice.
    """
    from orchestrator.audio.cache import make_private, private_folder, sweep
    from orchestrator.pool.submission.checked_options import default_cache_dir

    given = {file: file for file in files}
    if STDIN not in given:
        yield given
        return
    if list(files).count(STDIN) > 1 or sys.stdin.isatty():
        raise typer.BadParameter("- reads one recording from standard input: give it there by | or <")
    place = default_cache_dir()
    make_private(place)
    sweep(place)
    with private_folder(place) as private:
        copy = private / "stdin"
        with open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while chunk := os.read(0, _READ_BYTES):
                file.write(chunk)
        if not copy.stat().st_size:
            raise typer.BadParameter("standard input is empty: give a recording there by | or <")
        yield {**given, STDIN: copy}


@dataclass
class Transcriber:
    """Takes recordings through a pipeline.

    Args:
        pipeline: What to run.
        options: Of the command.
        models: Of the pool.
        kept_in: The folder of what is kept; None keeps nothing.
        cache_dir: Where converted copies go; None is the default.
        quiet: Shows nothing while it works.
    """

    pipeline: Pipeline
    options: PipelineOptions
    models: Sequence[Model]
    kept_in: Path | None
    cache_dir: Path | None
    quiet: bool
    _kept: list[KeptResults] = field(default_factory=list["KeptResults"], init=False)
    _done: list[KeptResults] = field(default_factory=list["KeptResults"], init=False)

    def __enter__(self) -> Transcriber:
        return self

    def __exit__(self, *_: object) -> None:
        for kept in self._kept:
            kept.close()

    def forget_done(self) -> None:
        """Remove what was kept of the recordings that are done: their documents are where they belong."""
        for kept in self._done:
            kept.remove()

    def one(self, label: Path, path: Path, growing: Callable[[Document], None] | None) -> Document:
        """Return the document of one recording; ``growing`` gets what there is of it while it grows.

        Raises:
            OrchestratorError: The recording or its jobs have failed.
        """
        import msgspec

        works: list[Work] = []
        kept: list[KeptResults] = []

        def restart() -> None:
            works[0].progress.restart()

        def runner(recording: Recording, pool: Any) -> Any:
            from orchestrator.pipeline.kept_results import KeepingRunner

            kept.extend(self._keep(label, recording))
            whole = recording.whole().audio
            return KeepingRunner(pool, kept[0] if kept else None, str(whole), restart)

        with self._shown(label, works) as tell:
            takers = [tell] if tell is not None else []
            if growing is not None:
                takers.append(_Growing(works, growing, self.options).tell)

            def on_text(told: PartialText) -> None:
                for take in takers:
                    take(told)

            works.append(
                self.pipeline.open(
                    path, on_text=on_text if takers else None, cache_dir=self.cache_dir, runner=runner
                )
            )
            document = self.pipeline.finish(works[0])
        self._done += kept
        return msgspec.structs.replace(document, source=str(label))

    def _keep(self, label: Path, recording: Recording) -> list[KeptResults]:
        if self.kept_in is None:
            return []
        from orchestrator import __version__
        from orchestrator.pipeline.kept_results import KeptResults, place_of, tidy

        options = self.options
        settings = [__version__, options.language, options.model, options.aligner]
        try:
            kept = KeptResults(place_of(self.kept_in, recording.sha256, self.models, settings))
            tidy(self.kept_in)
        except OSError as error:
            say(f"what is done cannot be kept in {self.kept_in}: {error.strerror or error}")
            return []
        self._kept.append(kept)
        if len(kept):
            done = "1 job was" if len(kept) == 1 else f"{len(kept)} jobs were"
            say(f"{label}: going on where it stood, {done} done before")
        return [kept]

    @contextlib.contextmanager
    def _shown(self, label: Path, works: list[Work]) -> Generator[Callable[[PartialText], None] | None]:
        """Show how far it is; gives what wants to hear of text."""
        if self.quiet:
            yield None
            return
        with ExitStack() as stack:
            if sys.stderr.isatty():
                from orchestrator.cli.terminal.live_text import LiveText

                title = lambda: f"{named(label)}{_told(works)}"  # noqa: E731
                live = stack.enter_context(LiveText(title, self.options.language, self.options.chinese))
                yield live.tell
                return
            stack.enter_context(_said_now_and_then(label, works))
            yield None


def _told(works: Sequence[Work]) -> str:
    """Return `` · 43 % · 12 min 05 s left``: nothing before anything is known."""
    if not works:
        return " · decoding"
    progress = works[0].progress
    left_s = progress.left_s
    left = "" if left_s is None else f" · {duration(left_s)} left"
    return f" · {100 * progress.share:.0f} %{left}"


@contextlib.contextmanager
def _said_now_and_then(label: Path, works: Sequence[Work]) -> Generator[None]:
    over = threading.Event()

    def tell() -> None:
        with contextlib.suppress(OutputError):  # the command hears of it by its own next line
            while not over.wait(PLAIN_INTERVAL_S):
                say(f"{named(label)}{_told(works)}".replace(" · ", ": ", 1).replace(" · ", ", "))

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


class _Growing:
    """Makes a document of the pieces that are done, for a file that grows."""

    INTERVAL_S = 1.0

    def __init__(self, works: list[Work], take: Callable[[Document], None], options: PipelineOptions) -> None:
        self._works = works
        self._take = take
        self._options = options
        self._segments: list[Any] = []
        self._pieces = 0
        self._next_s = 0.0

    def tell(self, told: PartialText) -> None:
        """Take a piece of text; only whole pieces count."""
        from orchestrator.pipeline import Document, Segment, WriteChinese

        if not told.done:
            return
        recording = self._works[0].recording
        _, end_ms = recording.cut_so_far[self._pieces]
        self._pieces += 1
        text = told.chunk.text.strip()
        if text:
            self._segments.append(Segment(told.start_ms, end_ms, text, text, self._options.language))
        if time.monotonic() < self._next_s:
            return
        document = Document(recording.source, recording.duration_ms, list(self._segments))
        if self._options.chinese != "off":
            document = WriteChinese(self._options.chinese)(document, self._works[0])
        self._take(document)
        self._next_s = time.monotonic() + self.INTERVAL_S

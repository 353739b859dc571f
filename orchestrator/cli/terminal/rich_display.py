"""The display of a terminal: one progress bar per series with current memory and time left.

Lines of log scroll above the bar. With ``-v`` the running job's text grows on a line between them, so that an
engine that revises its text rewrites that line.
"""

# ruff: noqa: ARG002 - an observer is told more than it shows

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TextIO

from rich.console import RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from orchestrator.cli.terminal.display import MB, Wanted
from orchestrator.cli.terminal.plain_display import PlainDisplay
from orchestrator.cli.terminal.progress import IterationProgress, time_left
from orchestrator.cli.terminal.screen import STYLES
from orchestrator.cli.terminal.verbose_log import VerboseLog
from orchestrator.config.types import Experiment, Series
from orchestrator.experiments.running.observer import LatestRss
from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd
from orchestrator.report.cells import UNKNOWN, number
from orchestrator.report.layout import Line
from orchestrator.report.names import method_name

_REFRESHES_PER_S = 4


class RichDisplay(PlainDisplay):
    """A bar per series; the base's plain progress lines are left out."""

    def __init__(
        self, out: TextIO, log: TextIO, wanted: Wanted, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(out, log, wanted, clock)
        self._bar: _SeriesBar | None = None
        if wanted.verbose:
            self._verbose_log = VerboseLog(self.say, self._show)

    def close(self) -> None:
        """Stop the bar where it stands."""
        if self._bar is not None:
            self._bar.live_text = ""
            self._bar.stop()
            self._bar = None

    def say(self, line: Line) -> None:
        """Write a line above the bar."""
        self.log.console.print(Text(line.text.rstrip(), STYLES[line.role]), soft_wrap=True)

    def series_started(
        self, experiment: Experiment, series: Series, first_iteration: int, reason: str, latest: LatestRss
    ) -> None:
        """Start the bar."""
        self.close()
        if self.wanted.verbose:
            super().series_started(experiment, series, first_iteration, reason, latest)
        elif reason:
            self.say(Line(f"{method_name(series)}: {reason}", "note"))
        self._progress = IterationProgress(first_iteration, experiment.iterations, self._clock)
        self._bar = _SeriesBar(self, method_name(series), self._progress, latest)
        self._bar.start()

    def iteration_done(self, experiment: Experiment, series: Series, record: IterationRecord) -> None:
        """Move the bar."""
        if self._verbose_log:
            self._verbose_log.iteration_done(experiment, record)
        if self._progress is not None and self._bar is not None:
            self._progress.reached(record.iteration)
            self._bar.moved(record.memory)

    def series_ended(self, experiment: Experiment, series: Series, end: SeriesEnd) -> None:
        """Leave the bar on the screen as it is."""
        self.close()
        super().series_ended(experiment, series, end)

    def _show(self, text: str) -> None:
        if self._bar is not None:
            self._bar.live_text = text


class _SeriesBar(Progress):
    """The live part of the screen: growing text, then name, bar, ``k/N``, memory and time left."""

    def __init__(
        self, display: RichDisplay, name: str, progress: IterationProgress, latest: LatestRss
    ) -> None:
        self.live_text = ""
        self._progress = progress
        self._memory = _MemoryColumn(latest)
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            self._memory,
            _TimeLeftColumn(progress),
            console=display.log.console,
            refresh_per_second=_REFRESHES_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task: TaskID = self.add_task(name, total=progress.total, completed=progress.done)

    def moved(self, memory_bytes: int) -> None:
        """Show the last iteration and its memory."""
        self._memory.last_bytes = memory_bytes
        self.update(self._task, completed=self._progress.done)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield what is drawn, from top to bottom."""
        if self.live_text:
            yield Text(self.live_text)
        yield from super().get_renderables()


class _MemoryColumn(ProgressColumn):
    """The worker's memory now; between two workers that of the last iteration."""

    def __init__(self, latest: LatestRss) -> None:
        super().__init__()
        self._latest = latest
        self.last_bytes: int | None = None

    def render(self, task: Task) -> Text:
        """Return ``1356.6 MB``; called by the drawing thread."""
        rss_bytes = None if task.finished else self._latest()
        shown = self.last_bytes if rss_bytes is None else rss_bytes
        text = UNKNOWN if shown is None else f"{number(shown / MB, 1)} MB"
        return Text(text.rjust(10), "cyan")


class _TimeLeftColumn(ProgressColumn):
    def __init__(self, progress: IterationProgress) -> None:
        super().__init__()
        self._progress = progress

    def render(self, task: Task) -> Text:
        """Return ``45 s left``."""
        return Text("" if task.finished else time_left(self._progress), "dim")

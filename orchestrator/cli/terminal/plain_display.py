"""The display for pipes and files: plain progress lines on stderr."""

# ruff: noqa: ARG002 - an observer is told more than it shows

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TextIO

from orchestrator.cli.terminal.display import MB, Display, Wanted
from orchestrator.cli.terminal.progress import IterationProgress, time_left
from orchestrator.cli.terminal.verbose_log import VerboseLog
from orchestrator.config.types import Experiment, Series, Step
from orchestrator.experiments.running.observer import LatestRss
from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd, StepRecord
from orchestrator.report.cells import number
from orchestrator.report.layout import BLANK, Line, title_block
from orchestrator.report.names import method_name, method_sentence


class PlainDisplay(Display):
    """Plain lines on stderr: one per tenth of a series, or every iteration with ``-v``."""

    def __init__(
        self, out: TextIO, log: TextIO, wanted: Wanted, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(out, log, wanted)
        self._clock = clock
        self._progress: IterationProgress | None = None
        self._warnings_told: set[tuple[str, str, str]] = set()
        self._verbose_log = VerboseLog(self.say, lambda _text: None) if wanted.verbose else None

    def series_started(
        self, experiment: Experiment, series: Series, first_iteration: int, reason: str, latest: LatestRss
    ) -> None:
        """Say which method begins."""
        self._progress = IterationProgress(first_iteration, experiment.iterations, self._clock)
        self.log.write([*method_heading(experiment, series, self.wanted, self.log.width)])
        if reason:
            self.say(Line(reason, "note"))

    def phase_started(
        self, experiment: Experiment, series: Series, iteration: int, step: Step | None, phase: str
    ) -> None:
        """Tell it, with ``-v``."""
        if self._verbose_log:
            self._verbose_log.phase_started(experiment, series, iteration, step, phase)

    def chunk(self, experiment: Experiment, series: Series, step: Step, text: str, replaces: int) -> None:
        """Keep it: what may still be replaced cannot be unprinted."""
        if self._verbose_log:
            self._verbose_log.chunk(text, replaces)

    def step_done(
        self, experiment: Experiment, series: Series, iteration: int, step: Step, record: StepRecord
    ) -> None:
        """Tell it, with ``-v``; in any case what speaks against its result, once a series."""
        if self._verbose_log:
            self._verbose_log.step_done(experiment, step, record)
        for warning in record.warnings:
            told = (experiment.name, series.key, warning)
            if told not in self._warnings_told:
                self._warnings_told.add(told)
                self.say(Line(f"  Iteration {iteration}, {step.model.name}: {warning}", "bad"))

    def iteration_done(self, experiment: Experiment, series: Series, record: IterationRecord) -> None:
        """Say how far the series is."""
        if self._verbose_log:
            self._verbose_log.iteration_done(experiment, record)
        if self._progress is None:
            return
        self._progress.reached(record.iteration)
        if self._progress.at_tenth and not self._verbose_log:
            words = [
                f"  Iteration {record.iteration}/{self._progress.total}",
                f"memory {number(record.memory / MB)} MB",
                time_left(self._progress),
            ]
            self.say(Line(", ".join(word for word in words if word)))

    def series_ended(self, experiment: Experiment, series: Series, end: SeriesEnd) -> None:
        """Say what went wrong, if anything did, or that the series ended early."""
        self._progress = None
        if end.settled is not None:
            self.say(Line(f"{method_name(series)}: {end.sentence}", "note"))
        elif end.outcome not in {"completed", "unavailable"}:
            self.say(Line(f"{method_name(series)}: {end.sentence}", "bad"))


def method_heading(
    experiment: Experiment, series: Series, wanted: Wanted, width: int | None
) -> Sequence[Line]:
    """Return the original study's heading of a method, one line of it where iterations are not told."""
    sentence = method_sentence(experiment, series)
    if wanted.verbose:
        return [BLANK, *title_block(sentence, width)]
    return [Line(f"{experiment.name}, {sentence}", "title")]

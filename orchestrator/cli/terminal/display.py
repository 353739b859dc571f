"""What a run shows: headers and tables as data on stdout, progress and log on stderr.

:class:`Display` does what all displays have in common. :class:`PlainDisplay` adds plain progress lines,
for pipes and files, ``RichDisplay`` of :mod:`.rich_display` a progress bar. With JSON all that is meant for
people moves to stderr.
"""

# ruff: noqa: ARG002 - an observer is told more than it shows

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

import msgspec

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.cli.terminal.progress import Pace, time_left
from orchestrator.cli.terminal.screen import Screen
from orchestrator.cli.terminal.verbose_log import Narrator
from orchestrator.config.types import Experiment, Plan, Series, Step
from orchestrator.experiments.judging.summary import summarize_all
from orchestrator.experiments.running.observer import LatestRss, SilentObserver
from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd, SeriesRecords, StepRecord
from orchestrator.report.cells import number
from orchestrator.report.headers import experiment_header
from orchestrator.report.layout import BLANK, Line, title_block
from orchestrator.report.names import method_name, method_sentence
from orchestrator.report.tables import experiment_tables

MB = 1024.0**2


@dataclass(frozen=True)
class Wanted:
    """What the user asked to see; at most one of ``verbose`` and ``quiet``."""

    verbose: bool = False
    quiet: bool = False
    json: bool = False


class Display(SilentObserver):
    """Headers, tables and results. Shows no progress of its own, so it is also the display of ``--quiet``.

    Use it as a context manager: leaving it takes live parts off the screen, whatever happened.
    """

    def __init__(self, out: TextIO, log: TextIO, wanted: Wanted) -> None:
        self.wanted = wanted
        self.log = Screen(log)
        self._json_out = Screen(out) if wanted.json else None
        self.data = self.log if wanted.json else Screen(out)
        self._profile = ""
        self.judgements: list[Judgement] = []
        """Those of the experiments that have ended, in their order."""
        self._for_people = not (wanted.json and wanted.quiet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take live parts off the screen. Safe to call again."""

    def say(self, line: Line) -> None:
        """Write one line of log."""
        self.log.write([line])

    def run_started(self, plan: Plan, run_dir: str, notes: Sequence[str]) -> None:
        """Say which profile was taken and why, and what else there is to know."""
        self._profile = plan.profile
        if not self.wanted.quiet:
            for note in dict.fromkeys([plan.profile_reason, *notes, *plan.problems]):
                self.say(Line(note, "note"))

    def experiment_started(self, experiment: Experiment, unavailable: Mapping[str, str]) -> None:
        """Write the header; name what cannot run."""
        if self._for_people:
            self.data.write([BLANK, *experiment_header(experiment, self._profile, self.data.width), BLANK])
        if not self.wanted.quiet:
            for series in experiment.series:
                if reason := unavailable.get(series.key):
                    self.say(Line(f"{method_name(series)}: unavailable: {reason}", "bad"))

    def experiment_ended(
        self, experiment: Experiment, records: Mapping[str, SeriesRecords], output: str
    ) -> None:
        """Write the tables, and with JSON the summaries as one object on a line."""
        self.close()
        summaries = summarize_all(experiment, records.values())
        self.judgements += [msgspec.convert(each["judgement"], Judgement) for each in summaries.values()]
        if self._for_people:
            tables = experiment_tables(experiment, summaries, self.data.width)
            self.data.write([*tables, BLANK, Line(f"Results saved to {output}")])
        if self._json_out is not None:
            found = {"experiment": experiment.name, "title": experiment.title, "profile": self._profile}
            report = msgspec.json.encode({**found, "output": output, "summary": summaries})
            self._json_out.write_text(report.decode())

    def run_ended(self, run_dir: str, outputs: Sequence[str], outcome: str) -> None:
        """Say how the run ended and where its raw data is."""
        self.close()
        if not self.wanted.quiet:
            self.log.write([BLANK, Line(f"{outcome}; raw data in {run_dir}", "note")])


class PlainDisplay(Display):
    """Plain lines on stderr: one per tenth of a series, or every iteration with ``-v``."""

    def __init__(
        self, out: TextIO, log: TextIO, wanted: Wanted, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(out, log, wanted)
        self._clock = clock
        self._pace: Pace | None = None
        self._warnings_told: set[tuple[str, str, str]] = set()
        self._narrator = Narrator(self.say, lambda _text: None) if wanted.verbose else None

    def series_started(
        self, experiment: Experiment, series: Series, first_iteration: int, reason: str, latest: LatestRss
    ) -> None:
        """Say which method begins."""
        self._pace = Pace(first_iteration, experiment.iterations, self._clock)
        self.log.write([*method_heading(experiment, series, self.wanted, self.log.width)])
        if reason:
            self.say(Line(reason, "note"))

    def phase_started(
        self, experiment: Experiment, series: Series, iteration: int, step: Step | None, phase: str
    ) -> None:
        """Tell it, with ``-v``."""
        if self._narrator:
            self._narrator.phase_started(experiment, series, iteration, step, phase)

    def chunk(self, experiment: Experiment, series: Series, step: Step, text: str, replaces: int) -> None:
        """Keep it: what may still be replaced cannot be unprinted."""
        if self._narrator:
            self._narrator.chunk(text, replaces)

    def step_done(
        self, experiment: Experiment, series: Series, iteration: int, step: Step, record: StepRecord
    ) -> None:
        """Tell it, with ``-v``; in any case what speaks against its result, once a series."""
        if self._narrator:
            self._narrator.step_done(experiment, step, record)
        for warning in record.warnings:
            told = (experiment.name, series.key, warning)
            if told not in self._warnings_told:
                self._warnings_told.add(told)
                self.say(Line(f"  Iteration {iteration}, {step.model.role}: {warning}", "bad"))

    def iteration_done(self, experiment: Experiment, series: Series, record: IterationRecord) -> None:
        """Say how far the series is."""
        if self._narrator:
            self._narrator.iteration_done(experiment, record)
        if self._pace is None:
            return
        self._pace.reached(record.iteration)
        if self._pace.at_tenth and not self._narrator:
            words = [
                f"  Iteration {record.iteration}/{self._pace.total}",
                f"memory {number(record.memory / MB)} MB",
                time_left(self._pace),
            ]
            self.say(Line(", ".join(word for word in words if word)))

    def series_ended(self, experiment: Experiment, series: Series, end: SeriesEnd) -> None:
        """Say what went wrong, if anything did, or that the series ended early."""
        self._pace = None
        if end.settled is not None:
            self.say(Line(f"{method_name(series)}: {end.sentence}", "note"))
        elif end.outcome not in {"completed", "unavailable"}:
            self.say(Line(f"{method_name(series)}: {end.sentence}", "bad"))


def method_heading(
    experiment: Experiment, series: Series, wanted: Wanted, width: int | None
) -> Sequence[Line]:
    """Return the seeds' heading of a method, one line of it where iterations are not told."""
    sentence = method_sentence(experiment, series)
    if wanted.verbose:
        return [BLANK, *title_block(sentence, width)]
    return [Line(f"{experiment.name}, {sentence}", "title")]


def make_display(wanted: Wanted, out: TextIO | None = None, log: TextIO | None = None) -> Display:
    """Return the display that fits the streams (default: stdout and stderr) and what the user asked for."""
    data, progress = out or sys.stdout, log or sys.stderr
    if wanted.quiet:
        return Display(data, progress, wanted)
    if progress.isatty() and not Screen(progress).console.is_dumb_terminal:
        from orchestrator.cli.terminal.rich_display import RichDisplay

        return RichDisplay(data, progress, wanted)
    return PlainDisplay(data, progress, wanted)

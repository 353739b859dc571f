"""What a run shows: headers and tables as data on stdout, progress and log on stderr.

:class:`Display` does what all displays have in common. :mod:`.plain_display` adds plain progress lines, for pipes and
files, :mod:`.rich_display` a progress bar, and :mod:`.display_choice` takes the one that fits. With JSON, everything
that is meant for people moves to stderr.
"""

# ruff: noqa: ARG002 - an observer is told more than it shows

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.cli.terminal.screen import Screen
from orchestrator.config.types import Experiment, Plan
from orchestrator.experiments.judging.readings import leak_series_mb
from orchestrator.experiments.running.observer import RunObserver
from orchestrator.experiments.storage.records import NOT_POSSIBLE, SeriesRecords
from orchestrator.files.writing import to_json
from orchestrator.report.closing.last_screen import Closing, last_screen, plain
from orchestrator.report.closing.rows import ClosingRow, closing_rows
from orchestrator.report.headers import experiment_header
from orchestrator.report.layout import BLANK, Line
from orchestrator.report.names import method_name
from orchestrator.report.summaries import SeriesSummary
from orchestrator.report.tables import experiment_tables

MB = 1024.0**2


@dataclass(frozen=True)
class Wanted:
    """What the user asked to see; at most one of ``verbose`` and ``quiet``."""

    verbose: bool = False
    quiet: bool = False
    json: bool = False


class Display(RunObserver):
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
        self.rows: list[ClosingRow] = []
        """The rows of their methods on the last screen."""
        self.missing: Mapping[tuple[str, str], Sequence[str]] = {}
        """Each thing that is missing and how to get it, with the experiments that lack it."""
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

    def lacking(self, found: Mapping[tuple[str, str], Sequence[str]]) -> None:
        """Keep it for the last screen; the notes of ``run_started`` say it first."""
        self.missing = found

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
                    word = "" if reason.startswith(NOT_POSSIBLE) else "unavailable: "
                    self.say(Line(f"{method_name(series)}: {word}{reason}", "bad"))

    def experiment_ended(
        self,
        experiment: Experiment,
        records: Mapping[str, SeriesRecords],
        summaries: Mapping[str, SeriesSummary],
        output: str,
    ) -> None:
        """Write the tables, and with JSON the summaries as one object on a line."""
        self.close()
        self.judgements += [each.judgement for each in summaries.values() if each.judgement is not None]
        self._keep_for_the_end(experiment, records, summaries)
        if self._for_people:
            details = self.wanted.verbose
            tables = experiment_tables(experiment, summaries, self.data.width, details=details)
            self.data.write([*tables, BLANK, Line(f"Results saved to {output}")])
        if self._json_out is not None:
            found = {"experiment": experiment.name, "title": experiment.title, "profile": self._profile}
            report = to_json({**found, "output": output, "summary": summaries})
            self._json_out.write_json(report)

    def _keep_for_the_end(
        self,
        experiment: Experiment,
        records: Mapping[str, SeriesRecords],
        summaries: Mapping[str, SeriesSummary],
    ) -> None:
        readings = {
            series.key: leak_series_mb(series.method, records[series.key].iterations)
            for series in experiment.series
            if series.key in records
        }
        self.rows += closing_rows(experiment, summaries, readings)

    def close_with(self, closing: Closing) -> None:
        """Write the last screen, where the tables went; with ``--quiet`` only what came out."""
        if not self._for_people:
            return
        if self.wanted.quiet:
            closing = Closing(closing.rows, closing.took)
        self.data.write(last_screen(closing, self.data.width), plain=plain)

    def run_ended(self, run_dir: str, outputs: Sequence[str], outcome: str) -> None:
        """Say how the run ended and where its raw data is."""
        self.close()
        if not self.wanted.quiet:
            self.log.write([BLANK, Line(f"{outcome}; raw data in {run_dir}", "note")])

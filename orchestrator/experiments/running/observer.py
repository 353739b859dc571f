"""What a run tells while it is under way: the interface between the runner and its displays.

The runner calls an observer on its own thread, in the order of things, and expects it to return soon and
never to raise. Observers print, draw or collect; they change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator.config.types import Experiment, Plan, Series, Step
from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd, SeriesRecords, StepRecord
from orchestrator.report.summaries import SeriesSummary

LatestRss = Callable[[], int | None]
"""Gives the worker's last sampled RSS in bytes, None while there is no worker. Safe from any thread."""


class RunObserver:
    """Observes one run; this one does nothing. Observers override the methods of the events that they need.

    Every call is about something that has just begun or just ended.
    """

    def lacking(self, found: Mapping[tuple[str, str], Sequence[str]]) -> None:
        """Comes first: each thing that is missing with what gets it, and the experiments that lack it."""

    def run_started(self, plan: Plan, run_dir: str, notes: Sequence[str]) -> None:
        """Nothing has run yet. ``notes`` are sentences for the user, such as what was done to the audio."""

    def experiment_started(self, experiment: Experiment, unavailable: Mapping[str, str]) -> None:
        """``unavailable`` has the reason for every series, by its key, that cannot run: what is missing, or why not."""

    def series_started(
        self, experiment: Experiment, series: Series, first_iteration: int, reason: str, latest: LatestRss
    ) -> None:
        """A series begins at ``first_iteration``; ``reason`` says why it starts again, else it is empty."""

    def phase_started(
        self, experiment: Experiment, series: Series, iteration: int, step: Step | None, phase: str
    ) -> None:
        """``phase`` is template, spawn, load, restart, infer, unload, exit or trim; ``step`` may be unknown yet."""

    def chunk(self, experiment: Experiment, series: Series, step: Step, text: str, replaces: int) -> None:
        """A piece of text came; the last ``replaces`` characters sent so far are withdrawn first."""

    def step_done(
        self, experiment: Experiment, series: Series, iteration: int, step: Step, record: StepRecord
    ) -> None:
        """A step is complete, all its readings included."""

    def iteration_done(self, experiment: Experiment, series: Series, record: IterationRecord) -> None:
        """An iteration is complete and on disk."""

    def series_ended(self, experiment: Experiment, series: Series, end: SeriesEnd) -> None:
        """A series ended, well or not; also called for a series that was unavailable."""

    def experiment_ended(
        self,
        experiment: Experiment,
        records: Mapping[str, SeriesRecords],
        summaries: Mapping[str, SeriesSummary],
        output: str,
    ) -> None:
        """All series ended; ``output`` is the path of the result file, the rest is by series key."""

    def run_ended(self, run_dir: str, outputs: Sequence[str], outcome: str) -> None:
        """Everything is written. ``outcome`` is a sentence such as ``done`` or ``interrupted``."""

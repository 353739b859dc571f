"""Run cases by the ordinary runner and judge what it recorded.

The runs are real in every part: processes, sampling, boundaries, records on disk, and the judgement that
result files and reports get. They go to a scratch folder, because they do not belong among the user's results.
"""

# ruff: noqa: ARG002 - an observer is told more than it keeps

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.analysis.planning.calibration import Channels
from orchestrator.config.types import Experiment, Plan, Series
from orchestrator.experiments.calibration.cases import Case, experiment_of
from orchestrator.experiments.judging.judgement import judge_series
from orchestrator.experiments.running.observer import RunObserver
from orchestrator.experiments.running.runner import run_plan
from orchestrator.experiments.storage.records import IterationRecord, Reading, SeriesEnd, SeriesRecords
from orchestrator.experiments.storage.run_folder import ResultsFolder
from orchestrator.report.summaries import SeriesSummary


class Measured:
    """One case as it was measured; judged from any channels, up to any iteration."""

    def __init__(self, experiment: Experiment, records: SeriesRecords) -> None:
        self._experiment = experiment
        self._records = records

    @property
    def completed(self) -> bool:
        """Whether the series came to its end."""
        return self._records.end is not None and self._records.end.outcome == "completed"

    @property
    def sentence(self) -> str:
        """How the series ended."""
        return self._records.end.sentence if self._records.end else "interrupted"

    def judged(self, channels: Channels, iterations: int | None = None) -> Judgement:
        """Judge the first ``iterations`` readings (default: all), without the allocator's view for ``rss``."""
        kept = [
            record
            for record in self._records.iterations
            if iterations is None or record.iteration <= iterations
        ]
        if channels == "rss":
            kept = [_seen_from_outside(record) for record in kept]
        return judge_series(self._experiment, msgspec.structs.replace(self._records, iterations=kept))


class Bench:
    """Measures cases in ``scratch``, which must be a folder of its own. ``ended`` is told after every series."""

    def __init__(self, scratch: Path, iterations: int, ended: Callable[[str], None]) -> None:
        self._results = ResultsFolder(scratch)
        self._iterations = iterations
        self._ended = ended
        self.heap: str | None = None
        """Where the allocator's view came from, or why there was none; None before the first measurement."""

    def measure(self, cases: Sequence[Case]) -> list[Measured]:
        """Run ``cases`` one after the other and return them in their order.

        Raises:
            ResultsError: The scratch folder cannot be written.
            KeyboardInterrupt: Passed on; no worker is left.
        """
        experiments = [experiment_of(case, self._iterations) for case in cases]
        collector = _Collector(self._ended)
        run_plan(_plan(experiments), self._results, collector)
        newest = self._results.run_folders()[-1]
        self.heap = newest.manifest().heap or self.heap
        return [Measured(each, collector.records[each.name]) for each in experiments]


class _Collector(RunObserver):
    """Keeps the records of every experiment, each of which has one series."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._tell = ended
        self.records: dict[str, SeriesRecords] = {}

    def series_ended(self, experiment: Experiment, series: Series, end: SeriesEnd) -> None:
        self._tell(experiment.name)

    def experiment_ended(
        self,
        experiment: Experiment,
        records: Mapping[str, SeriesRecords],
        summaries: Mapping[str, SeriesSummary],
        output: str,
    ) -> None:
        (self.records[experiment.name],) = records.values()


def _plan(experiments: Iterable[Experiment]) -> Plan:
    return Plan(
        file="calibration",
        profile="calibration",
        profile_reason="calibration: the synthetic engine, whose leaks are known",
        experiments=list(experiments),
        keep_runs=1,
    )


def _seen_from_outside(record: IterationRecord) -> IterationRecord:
    steps = [
        msgspec.structs.replace(step, readings={name: _outside(each) for name, each in step.readings.items()})
        for step in record.steps
    ]
    return msgspec.structs.replace(record, steps=steps)


def _outside(reading: Reading) -> Reading:
    return msgspec.structs.replace(reading, heap_live=None, heap_held=None, heap_off=None)

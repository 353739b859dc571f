"""``Results``: everything that a run has recorded, by its path, for notebooks and programs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestrator.analysis.planning.model_plan import RunPlan
from orchestrator.config.types import Experiment
from orchestrator.errors import ResultsError
from orchestrator.experiments.exporting.facts import facts_of_file, facts_of_run
from orchestrator.experiments.exporting.rows import iteration_table, reading_table
from orchestrator.experiments.exporting.sample_table import SampleTable
from orchestrator.experiments.exporting.summary_view import (
    experiment_of,
    headline_of,
    memory_by_series,
    origin,
    reached,
    summary_html,
)
from orchestrator.experiments.exporting.verdicts import Verdicts
from orchestrator.experiments.judging.judgement import Judgements, series_method
from orchestrator.experiments.judging.readings import leak_series_mb
from orchestrator.experiments.planning.recycle_plan import plan_results
from orchestrator.experiments.reporting.run_report import find_run
from orchestrator.experiments.results.results_file import Results as ResultFile
from orchestrator.experiments.results.results_file import make_results, read_results
from orchestrator.experiments.results.run_results import judgements_of_run, plan_of_run
from orchestrator.experiments.storage.manifest import Manifest
from orchestrator.experiments.storage.run_folder import RunFolder
from orchestrator.files.untrusted import content_of
from orchestrator.notebook.frames import Column
from orchestrator.notebook.shown import Shown
from orchestrator.notebook.table import Table, table_columns
from orchestrator.report.closing.rows import ClosingRow, closing_rows
from orchestrator.report.summaries import SeriesSummary


class Results(Shown):
    """The results of one run. A notebook shows them as the report's first table.

    ``to_pandas`` and ``to_polars`` are those of :attr:`iterations`: one row for each iteration of each method. What is
    asked for is read then, once; :attr:`samples` are read anew each time.

    Attributes:
        path: The run's folder, or the result file.
    """

    def __init__(self, path: str | os.PathLike[str] = "results") -> None:
        """Find the run.

        Args:
            path: A results folder (its newest run counts), a run's folder, or one result file.

        Raises:
            ResultsError: There is none, or it cannot be read; says what to name instead.
        """
        place = Path(path)
        self._file: ResultFile | None = None
        self._manifest: Manifest | None = None
        if place.is_file():
            self.path = place
            self._file = read_results(place)
        elif not place.exists():
            raise ResultsError(f"{place}: no such file or folder")
        else:
            self.path = find_run(place)
            self._manifest = RunFolder(self.path).manifest()

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the run is: id, date, profile, host, versions, warnings; nothing of anybody's folders."""
        if self._manifest is not None:
            return facts_of_run(self._manifest)
        assert self._file is not None, "one of the two is there"
        return facts_of_file(self._file)

    @property
    def run_id(self) -> str | None:
        """The run's id; None in a result file that does not tell it."""
        return self.facts.get("run_id")

    @property
    def state(self) -> str | None:
        """``finished``, ``interrupted``, ``running`` (under way, or killed); None for a result file."""
        return self.facts.get("state")

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments' names, in their order; those that the run has not come to are among them."""
        return tuple(self._experiments)

    @property
    def methods(self) -> Mapping[str, tuple[str, ...]]:
        """The keys of each experiment's series: a method, or ``method@variant``."""
        return {name: tuple(each.key for each in one.series) for name, one in self._experiments.items()}

    @property
    def summaries(self) -> Mapping[str, Mapping[str, SeriesSummary]]:
        """By experiment and series: outcome, growth, levers, speech and error rates."""
        return {name: one.summary for name, one in self._results.items()}

    @cached_property
    def iterations(self) -> Table:
        """One row for each iteration of each method; its readings are those that the verdict is made of."""
        with content_of(self.path):
            return iteration_table(self._results)

    @cached_property
    def readings(self) -> Table:
        """One row for each memory reading: every boundary of every step of every iteration."""
        with content_of(self.path):
            return reading_table(self._results)

    @cached_property
    def verdicts(self) -> Verdicts:
        """The judgement of each method; one row a method as a frame."""
        found = [each.judgement for one in self._results.values() for each in one.summary.values()]
        return Verdicts([each for each in found if each is not None])

    @property
    def samples(self) -> SampleTable:
        """The memory readings every 20 ms or so. They are read when they are asked for, anew each time.

        Raises:
            ResultsError: A result file has none.
        """
        if self._manifest is None:
            raise ResultsError(
                f"{self.path}: a result file has no samples; name its run's folder: "
                f"results/runs/{self.run_id or '<id>'}"
            )
        roles = {name: [step.model.name for step in one.steps] for name, one in self._experiments.items()}
        return SampleTable(self.path, roles)

    @cached_property
    def plan(self) -> RunPlan | None:
        """When a pool should recycle its workers, by this run; None where nothing was measured."""
        budget = self._manifest.budget_bytes if self._manifest is not None else None
        if not self._results:
            return None
        with content_of(self.path):
            try:
                return plan_results(self._results, source=str(self.path), budget_bytes=budget)
            except ResultsError:
                return None

    def __repr__(self) -> str:
        return f"<Results: {headline_of(self._rows, self._not_yet)}. {origin(self.facts)}>"

    def _columns(self) -> Mapping[str, Column]:
        return table_columns(self.iterations)

    def _html(self) -> str:
        return summary_html(self._rows, self._not_yet, self.facts)

    @cached_property
    def _experiments(self) -> Mapping[str, Experiment]:
        with content_of(self.path):
            if self._manifest is not None:
                every: Sequence[Experiment] = plan_of_run(self._manifest, self.path).experiments
            else:
                every = [experiment_of(one) for one in self._results.values()]
            return {one.name: one for one in every}

    @cached_property
    def _judged(self) -> Mapping[str, Judgements]:
        if self._manifest is None:
            return {}
        with content_of(self.path):
            return judgements_of_run(RunFolder(self.path), self._manifest)

    @cached_property
    def _results(self) -> Mapping[str, ResultFile]:
        if self._manifest is None:
            assert self._file is not None, "one of the two is there"
            return {str(self._file.config.get("experiment", "")): self._file}
        with content_of(self.path):
            return {name: make_results(each, self._manifest) for name, each in self._judged.items()}

    @cached_property
    def _rows(self) -> Sequence[ClosingRow]:
        """The methods that the run has come to."""
        with content_of(self.path):
            return [
                row
                for name, one in self._experiments.items()
                for row in closing_rows(
                    reached(one, self.summaries.get(name, {})),
                    self.summaries.get(name, {}),
                    self._curves(name),
                )
            ]

    @property
    def _not_yet(self) -> int:
        """How many methods the run has not come to."""
        return sum(len(one.series) for one in self._experiments.values()) - len(self._rows)

    def _curves(self, experiment: str) -> Mapping[str, Sequence[float]]:
        """Return the readings that each series is judged by, MB; of a result file the memory of its iterations."""
        judged = self._judged.get(experiment)
        if judged is None:
            return memory_by_series(self._results[experiment]) if experiment in self._results else {}
        return {
            key: leak_series_mb(series_method(judged.experiment, key), each.iterations)
            for key, each in judged.records.items()
        }

"""Keep what was located beside the run whose leak it explains: its newest one of the same profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.analysis.locating.located import Located
from orchestrator.config.types import Plan
from orchestrator.errors import ResultsError
from orchestrator.experiments.reporting.run_report import REPORT_NAME, build_report, find_run
from orchestrator.experiments.results.results_file import Results
from orchestrator.experiments.results.run_results import load_run
from orchestrator.experiments.storage.stored_located import (
    flame_graph_path,
    make_flames_folder,
    write_located,
)


@dataclass(frozen=True)
class NewestRun:
    """The run that a plan's leaks are held against; ``folder`` is None where there is none to keep anything in."""

    folder: Path | None = None
    known: Mapping[str, Results] = field(default_factory=dict[str, Results])

    def has(self, experiment: str, method: str) -> bool:
        """Whether the run has this method of this experiment."""
        return experiment in self.known and method in self.known[experiment].summary

    def flame_graph(self, experiment: str, method: str) -> Path | None:
        """Return where the flame graph of a method goes; None: it is not kept.

        Raises:
            ResultsError: The folder for it cannot be made.
        """
        if self.folder is None or not self.has(experiment, method):
            return None
        make_flames_folder(self.folder)
        return flame_graph_path(self.folder, experiment, method)

    def keep(self, answers: Sequence[Located]) -> list[Path]:
        """Keep the answers that belong to the run, and make its page again if it has one; return what was written.

        Raises:
            ResultsError: A file cannot be written.
        """
        own = [each for each in answers if self.has(each.name, each.method)]
        if self.folder is None or not own:
            return []
        written = [write_located(self.folder, own)]
        if (self.folder / REPORT_NAME).exists():
            written += build_report(self.folder).all
        return written


NO_RUN = NewestRun()


def newest_run(results: Path | None, plan: Plan) -> NewestRun:
    """Return the newest run of the plan's profile in the results folder, or the run that ``results`` is."""
    if results is None:
        return NO_RUN
    try:
        known = load_run(results)
        folder = None if results.is_file() else find_run(results)
    except ResultsError:
        return (
            NewestRun()
        )  # there is none, or none that can be read: then the untraced worker's growth counts
    alike = {name: each for name, each in known.items() if each.profile == plan.profile}
    return NewestRun(folder, alike)

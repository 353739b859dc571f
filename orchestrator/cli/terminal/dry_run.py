"""``orchestrator run --dry-run``: what would be done and how long it takes, without doing it."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.cli.terminal.progress import duration
from orchestrator.cli.terminal.screen import Screen
from orchestrator.config.types import Experiment, Plan, Series
from orchestrator.experiments.running.estimate import Estimate, estimate
from orchestrator.experiments.running.stopping import earliest_end, may_end_early
from orchestrator.experiments.storage.run_folder import ResultsFolder
from orchestrator.report.headers import experiment_header
from orchestrator.report.layout import BLANK, Line


def show_plan(plan: Plan, folder: Path) -> None:
    """Print what ``plan`` would do with its results in ``folder``, and about how long it takes. Nothing is run."""
    estimates = estimate(plan, ResultsFolder(folder))
    screen = Screen(sys.stdout)
    screen.write([Line(f"Profile: {plan.profile_reason}"), Line(f"Results: {folder}")])
    for experiment in plan.experiments:
        screen.write([BLANK, *experiment_header(experiment, plan.profile, screen.width)])
        for series in experiment.series:
            expected = estimates[experiment.name, series.key]
            screen.write([Line(_series_words(experiment, series, expected))])
    total = sum(one.seconds for one in estimates.values())
    at_most = ", less where a verdict is settled early" if may_end_early(plan) else ""
    screen.write([BLANK, Line(f"Altogether about {duration(total)}{at_most}. Nothing was run.")])


def _series_words(experiment: Experiment, series: Series, expected: Estimate) -> str:
    source = "as measured here before" if expected.measured else "a rough guess"
    soonest = earliest_end(experiment, series)
    up_to, early = ("up to ", f"; settled at the earliest after {soonest}") if soonest else ("", "")
    time_s = duration(expected.seconds)
    return f"  {series.key}: {up_to}{experiment.iterations} iterations, about {time_s} ({source}){early}"

"""``orchestrator run --dry-run``: what would be done and how long it takes, without doing it.

What is missing is looked for as a run looks for it: each engine is asked in a worker of its own, and nothing is loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.cli.terminal.progress import duration
from orchestrator.cli.terminal.screen import Screen
from orchestrator.config.types import Experiment, Plan, Series
from orchestrator.experiments.running.availability import Availability, look
from orchestrator.experiments.running.estimate import Estimate, estimate
from orchestrator.experiments.running.stopping import earliest_end, may_end_early
from orchestrator.experiments.storage.run_folder import ResultsFolder
from orchestrator.report.headers import experiment_header
from orchestrator.report.layout import BLANK, Line


def show_plan(plan: Plan, folder: Path) -> bool:
    """Print what ``plan`` would do with its results in ``folder``, and about how long it takes. Nothing is run.

    What cannot run is said first, with what gets it. Returns whether anything could.
    """
    with TemporaryDirectory(prefix="orchestrator-") as converted:
        availability = look(plan, Path(converted))
    estimates = estimate(plan, ResultsFolder(folder))
    screen = Screen(sys.stdout)
    screen.write([Line(f"Profile: {plan.profile_reason}"), *_lacking(availability)])
    screen.write([Line(f"Results: {folder}")])
    seconds: list[float] = []
    for experiment in plan.experiments:
        screen.write([BLANK, *experiment_header(experiment, plan.profile, screen.width)])
        for series in experiment.series:
            lacking = availability.lacking(experiment, series)
            if lacking is None:
                expected = estimates[experiment.name, series.key]
                seconds.append(expected.seconds)
                screen.write([Line(_series_words(experiment, series, expected))])
            else:
                why = str(lacking) if lacking.not_possible else "cannot run"
                screen.write([Line(f"  {series.key}: {why}", "bad")])
    screen.write([BLANK, Line(_altogether(plan, seconds))])
    return bool(seconds)


def _lacking(availability: Availability) -> list[Line]:
    """Return what cannot run and why: each missing thing once, and below it what gets it."""
    lines: list[Line] = []
    for what, names in availability.parts.items():
        lines.append(Line(f"Cannot run: {', '.join(names)}: {what.what}", "bad"))
        lines += [Line(f"  to get it: {cure}", "note") for cure in what.how_to_get_it.splitlines()]
    return lines


def _altogether(plan: Plan, seconds: list[float]) -> str:
    if not seconds:
        return "Nothing can run, and nothing was run."
    at_most = ", less where a verdict is settled early" if may_end_early(plan) else ""
    return f"Altogether about {duration(sum(seconds))}{at_most}. Nothing was run."


def _series_words(experiment: Experiment, series: Series, expected: Estimate) -> str:
    source = "as measured here before" if expected.measured else "a rough guess"
    soonest = earliest_end(experiment, series)
    up_to, early = ("up to ", f"; settled at the earliest after {soonest}") if soonest else ("", "")
    time_s = duration(expected.seconds)
    return f"  {series.key}: {up_to}{experiment.iterations} iterations, about {time_s} ({source}){early}"

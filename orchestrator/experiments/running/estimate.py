"""How long a plan will take, from the newest run that did the same series, else from typical figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.config.types import Experiment, Plan, Series, Step
from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.entry_log import series_records
from orchestrator.experiments.storage.run_folder import ResultsFolder

SPAWN_S = 0.15
TYPICAL_STEP_S: Mapping[str, float] = {"moonshine": 0.4, "pocketsphinx": 0.9, "chatllm": 6.0}
"""Load and infer of a clip of some six seconds on two cores. Rough on purpose: the first real run counts."""
UNKNOWN_STEP_S = 1.0


@dataclass(frozen=True)
class Estimate:
    """Seconds of one series; ``measured`` when they come from an earlier run on this machine."""

    seconds: float
    measured: bool


def estimate(plan: Plan, results: ResultsFolder) -> dict[tuple[str, str], Estimate]:
    """Return the estimate of every series by experiment and series key."""
    pace = _measured_pace(results)
    return {
        (experiment.name, series.key): _of_series(experiment, series, pace)
        for experiment in plan.experiments
        for series in experiment.series
    }


def _of_series(experiment: Experiment, series: Series, pace: Mapping[tuple[str, str], float]) -> Estimate:
    known = pace.get((experiment.name, series.key))
    if known is not None:
        return Estimate(known * experiment.iterations, measured=True)
    processes = len(experiment.steps) * experiment.iterations / experiment.recycle_after
    spawns = processes if series.method == "recycle" else 1
    jobs = sum(experiment.jobs_per_load) / 2 if series.method == "recreate" else 1
    steps_s = jobs * sum(_typical_s(step) for step in experiment.steps)
    return Estimate(experiment.iterations * steps_s + spawns * SPAWN_S, measured=False)


def _typical_s(step: Step) -> float:
    return TYPICAL_STEP_S.get(step.model.engine, UNKNOWN_STEP_S)


def _measured_pace(results: ResultsFolder) -> dict[tuple[str, str], float]:
    """Seconds per iteration of every completed series, the newest run's where several did it."""
    pace: dict[tuple[str, str], float] = {}
    for run in results.run_folders():
        try:
            records = series_records(run.entries())
        except ResultsError:
            continue
        for key, one in records.items():
            if one.end is not None and one.end.outcome == "completed" and one.iterations and not one.restarts:
                pace[key] = one.end.elapsed_s / len(one.iterations)
    return pace

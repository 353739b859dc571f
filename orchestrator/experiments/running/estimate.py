"""How long a plan will take: from runs that did the same series, or the same models, else from typical figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.config.types import Experiment, Plan, Series, Step
from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.entry_log import series_records
from orchestrator.experiments.storage.records import SeriesRecords
from orchestrator.experiments.storage.run_folder import ResultsFolder

SPAWN_S = 0.15
READING_S = 0.003
"""What the readings and the record of a step take besides its phases."""
FORK_S = 0.02
"""Start of a warm worker, from order to ready, and its end."""
TYPICAL_LOAD_S: Mapping[str, float] = {"moonshine": 0.2, "pocketsphinx": 0.4, "chatllm": 3.0}
TYPICAL_JOB_S: Mapping[str, float] = {"moonshine": 0.2, "pocketsphinx": 0.5, "chatllm": 3.0}
"""Load and infer of a clip of some six seconds on two cores. Rough on purpose: the first real run counts."""
UNKNOWN_S = 0.5
SYNTHETIC = ("synthetic", "synthetic-restart")


@dataclass(frozen=True)
class Estimate:
    """Seconds of one series; ``measured`` when they come from an earlier run on this machine."""

    seconds: float
    measured: bool


@dataclass(frozen=True)
class StepTimes:
    """Mean seconds of a model's phases; ``fork_s`` is the start of a warm worker."""

    spawn_s: float
    load_s: float
    job_s: float
    fork_s: float = FORK_S


class _Measured:
    """What earlier runs have shown: seconds per iteration of a series, and of each model's phases; the newest count."""

    def __init__(self) -> None:
        self.pace: dict[tuple[str, str], float] = {}
        self.models: dict[tuple[str, str], StepTimes] = {}

    def take(self, records: Mapping[tuple[str, str], SeriesRecords]) -> None:
        for key, one in records.items():
            if one.end is not None and one.end.outcome == "completed" and one.iterations and not one.restarts:
                self.pace[key] = one.end.elapsed_s / len(one.iterations)
        self.models |= _step_times(list(records.values()))


def estimate(plan: Plan, results: ResultsFolder) -> dict[tuple[str, str], Estimate]:
    """Return the estimate of every series by experiment and series key."""
    measured = _Measured()
    for run in results.run_folders():
        try:
            measured.take(series_records(run.entries()))
        except ResultsError:
            continue
    return {
        (experiment.name, series.key): _of_series(experiment, series, measured)
        for experiment in plan.experiments
        for series in experiment.series
    }


def _of_series(experiment: Experiment, series: Series, measured: _Measured) -> Estimate:
    known = measured.pace.get((experiment.name, series.key))
    if known is not None:
        return Estimate(known * experiment.iterations, measured=True)
    times = [measured.models.get((step.model.engine, step.model.name)) for step in experiment.steps]
    parts = [
        _seconds(experiment, series, one or _typical(step))
        for step, one in zip(experiment.steps, times, strict=True)
    ]
    return Estimate(sum(parts), measured=all(one is not None for one in times))


def _seconds(experiment: Experiment, series: Series, times: StepTimes) -> float:
    """Return the seconds of one step over all iterations: how often a method starts, loads and infers."""
    count = experiment.iterations
    if (
        series.method == "warm"
    ):  # a template is not ready with the load: it makes its forks cheap for as long again
        template_s = times.spawn_s + 2 * times.load_s
        return template_s + count * (times.fork_s + times.job_s + READING_S)
    starts = (
        -(-count // experiment.recycle_after) if series.method == "recycle" else 1 / len(experiment.steps)
    )
    loads = count if series.method in {"recreate", "recycle"} else 1
    jobs = count * (sum(experiment.jobs_per_load) / 2 if series.method == "recreate" else 1)
    return starts * times.spawn_s + loads * times.load_s + jobs * times.job_s + count * READING_S


def _typical(step: Step) -> StepTimes:
    engine, options = step.model.engine, step.model.options
    if engine in SYNTHETIC:  # it takes what it is told to take
        job_ms = options.get("first_token_ms", 0) + options.get("peak_ms", 0) + options.get("job_ms", 0)
        job_ms += (options.get("tokens", 1) - 1) * options.get("token_ms", 0)
        return StepTimes(SPAWN_S, options.get("load_ms", 0) / 1000, job_ms / 1000)
    return StepTimes(SPAWN_S, TYPICAL_LOAD_S.get(engine, UNKNOWN_S), TYPICAL_JOB_S.get(engine, UNKNOWN_S))


def _step_times(records: list[SeriesRecords]) -> dict[tuple[str, str], StepTimes]:
    spawns: dict[tuple[str, str], list[float]] = defaultdict(list)
    forks: dict[tuple[str, str], list[float]] = defaultdict(list)
    loads: dict[tuple[str, str], list[float]] = defaultdict(list)
    jobs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in records:
        for record in one.iterations:
            for step in record.steps:
                key = (step.engine, step.model)
                is_warm = step.start == "warm"
                template_load_s = None if step.template is None else step.template.load_s
                for found, seconds in (
                    (forks if is_warm else spawns, step.phases.spawn_s),
                    (loads, template_load_s if is_warm else step.phases.load_s),
                    (jobs, step.phases.infer_s),
                ):
                    if seconds is not None:
                        found[key].append(seconds)
    return {
        key: StepTimes(
            _mean(spawns[key], SPAWN_S),
            _mean(loads[key], 0.0),
            _mean(jobs[key], 0.0),
            _mean(forks[key], FORK_S),
        )
        for key in jobs
        if loads[key]
    }


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise

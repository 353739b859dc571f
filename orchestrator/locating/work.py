"""What is to be located: the in-process methods of a plan's experiments, or one function."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.analysis.locating.located import Located, Measured
from orchestrator.analysis.locating.site_growth import Rate
from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Plan, Series, Step
from orchestrator.experiments.judging.readings import FRESH_METHODS
from orchestrator.experiments.results.results_file import Results
from orchestrator.experiments.running.availability import look
from orchestrator.experiments.running.destroy_trials import DestroyTrials
from orchestrator.locating.keeping import NO_RUN, NewestRun
from orchestrator.locating.locate import Progress, locate
from orchestrator.locating.rounds import Work
from orchestrator.locating.schedule import Schedule
from orchestrator.locating.tracers import Tracer
from orchestrator.process.spawn import host_sys_path

CALL_TIMEOUT_S = 600.0


def locate_plan(
    plan: Plan,
    schedule: Schedule,
    tracer: Tracer,
    *,
    methods: Collection[str] | None = None,
    run: NewestRun = NO_RUN,
    progress: Progress = lambda _: None,
) -> list[Located]:
    """Locate the leaks of every experiment of the plan, one method after the other; blocks until all is done.

    Args:
        plan: Which experiments.
        schedule: How often each method runs.
        tracer: Which tracer.
        methods: Keys of series; None takes those that leaked in the newest run, without a run all that keep a process.
        run: The newest run, which says how fast they leak; memray's flame graphs are written into its folder.
        progress: Told what begins.
    """
    answers: list[Located] = []
    with tempfile.TemporaryDirectory(prefix="orchestrator-locate-") as folder:
        availability = look(plan, Path(folder))
        trials = DestroyTrials(availability)
        for experiment in plan.experiments:
            known = run.known.get(experiment.name)
            for series in chosen(experiment, methods, known):
                if (missing := availability.lacking(experiment, series)) is not None:
                    answers.append(_unavailable(experiment, series, missing.what, missing.how_to_get_it))
                    continue
                work = Work(
                    experiment,
                    series,
                    availability.audio,
                    availability.environment(series),
                    trials.abandoned(experiment, series),
                )
                rate = _measured(known, series.key)
                flames = run.flame_graph(experiment.name, series.key)
                answers.append(
                    locate(work, schedule, tracer, measured=rate, flame_graph=flames, progress=progress)
                )
    return answers


def chosen(experiment: Experiment, methods: Collection[str] | None, known: Results | None) -> list[Series]:
    """Return the series of an experiment to locate: those named, else those that leaked, else all in one process."""
    own = [series for series in experiment.series if series.method not in FRESH_METHODS]
    if methods is not None:
        return [series for series in own if series.key in methods or series.method in methods]
    leaking = [series for series in own if known is not None and _leaks(known, series.key)]
    return leaking or [series for series in own if series.variant is None]


def call_work(
    target: str,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    file: str | None = None,
    env: Mapping[str, str] | None = None,
    search: Sequence[str] = (),
) -> Work:
    """Return the work of calling ``package.module:name`` again and again; an iteration is a call."""
    options = {"target": target, "file": file, "args": list(args), "kwargs": dict(kwargs or {})}
    path = list(dict.fromkeys([*host_sys_path(), *search]))
    model = BoundModel(name=target, engine="function", label=target, options={"path": path})
    step = Step("call", model, None, None, options)
    series = Series("reuse")
    experiment = Experiment(target, target, [series], 1, 1, 1000, True, CALL_TIMEOUT_S, "", [step])
    return Work(experiment, series, env=dict(env or {}), calls=True)


def _leaks(known: Results, key: str) -> bool:
    summary = known.summary.get(key)
    return summary is not None and summary.judgement is not None and summary.judgement.verdict == "leak"


def _measured(known: Results | None, key: str) -> Measured | None:
    if known is None or not _leaks(known, key):
        return None
    judged = known.summary[key].judgement
    if judged is None:
        return None
    decided = _rate(judged.rate_mb_per_iteration, judged.ci_low, judged.ci_high)
    heap = _rate(judged.heap_rate_mb_per_iteration, judged.heap_ci_low, judged.heap_ci_high)
    if heap is None:
        if decided is None:
            return None
        return Measured(
            decided, "the newest run", channel="resident", verdict_channel=judged.rate_channel or ""
        )
    if judged.rate_channel == "live":
        return Measured(heap, "the newest run")
    return Measured(heap, "the newest run", verdict=decided, verdict_channel=judged.rate_channel or "")


def _rate(value: float | None, low: float | None, high: float | None) -> Rate | None:
    return None if value is None or low is None or high is None else Rate(value, low, high)


def _unavailable(experiment: Experiment, series: Series, what: str, how: str) -> Located:
    return Located(
        name=experiment.name, method=series.key, outcome="unavailable", cause=what, how_to_get_it=how
    )

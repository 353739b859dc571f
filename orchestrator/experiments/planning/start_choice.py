"""For a model that can be warm: a fork for every job, against recycled cold workers, against heap trims.

A warm option is only reckoned with figures of the method warm in the same experiment as the series that informs the
plan: another experiment has other recordings. Without them it is said what is not known, and the command that measures
it.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from orchestrator.analysis.planning.recycling import (
    RecyclePlan,
    WorkerFigures,
    plan_recycling,
    throughput_cost,
)
from orchestrator.analysis.planning.start_options import StartOption, Way, choose
from orchestrator.experiments.planning.plan_advice import Trimmed
from orchestrator.experiments.planning.worker_figures import BASELINE, WARM, MeasuredWorker
from orchestrator.process.warm.engines import FORKABLE

_FRESH = "each job has a process of its own, so that nothing can grow from job to job"


class StartChoice(NamedTuple):
    """The options of a model, why one is chosen, and the plan to follow where that is the warm one."""

    options: list[StartOption]
    why: str
    warm: RecyclePlan | None

    @property
    def way(self) -> Way | None:
        """Which one is chosen; None where nothing was compared."""
        return next((one.option for one in self.options if one.chosen), None)

    @property
    def start(self) -> Literal["warm", "cold"] | None:
        """How the model is to be started; None where a warm start could not be compared."""
        compared = any(one.option == "warm" and one.jobs_per_s is not None for one in self.options)
        return next((one.start for one in self.options if one.chosen and compared), None)


NO_CHOICE = StartChoice([], "", None)


def can_be_warm(worker: MeasuredWorker, every: Sequence[MeasuredWorker]) -> bool:
    """Tell whether the model may be forked: measured so, or its engine says so; not where a run has shown otherwise.

    A variant that could not run lacked its allocator or the like, and a plain series may have lacked a file: neither
    tells anything of the model.
    """
    tried = [one for one in every if one.method == WARM and one.judgement.outcome != "unavailable"]
    plain = any(one.series == WARM for one in tried)
    if not plain and any(one.series == WARM and one.not_possible for one in every):
        return False
    options: Mapping[str, Any] = worker.model.get("options") or {}
    return bool(tried) or worker.model.get("engine") in FORKABLE or options.get("may_fork") is True


def warm_beside(worker: MeasuredWorker, every: Sequence[MeasuredWorker]) -> MeasuredWorker | None:
    """Return the plain warm series of the informing series' own experiment; None where it was not measured."""
    return next(
        (
            one
            for one in every
            if one.series == WARM and one.experiment == worker.experiment
            if one.figures is not None and one.template_mb is not None
        ),
        None,
    )


def warm_plan(
    warm: MeasuredWorker, budget_mb: float, *, workers: int | None, most_workers: int | None = None
) -> RecyclePlan:
    """Return the plan of workers that are forked for every job: beside the template, the budget is theirs.

    Raises:
        ValueError: The budget does not hold them.
    """
    figures, template_mb = warm.figures, warm.template_mb
    assert figures is not None
    assert template_mb is not None
    if budget_mb <= template_mb:
        raise ValueError(f"a budget of {budget_mb:.0f} MB does not hold its template of {template_mb:.0f} MB")
    try:
        made = plan_recycling(
            figures, budget_mb=budget_mb - template_mb, workers=workers, most_workers=most_workers
        )
    except ValueError as error:
        raise ValueError(f"beside its template of {template_mb:.0f} MB, {error}") from None
    cost = throughput_cost(1, figures.start_s, figures.job_s)
    return dataclasses.replace(made, max_jobs=1, throughput_cost=cost, reason=_FRESH)


def start_choice(
    worker: MeasuredWorker,
    every: Sequence[MeasuredWorker],
    *,
    cold: RecyclePlan | str,
    trimmed: Trimmed | None,
    cap: int | None,
    budget_mb: float,
    workers: int,
    profile: str,
) -> StartChoice:
    """Compare the ways for ``workers`` workers; nothing for a model that cannot be warm.

    ``cold`` is the plan of recycling alone, or why there is none.
    """
    if not can_be_warm(worker, every):
        return NO_CHOICE
    warm = warm_beside(worker, every)
    forked: RecyclePlan | str = _how_to_measure(worker, profile)
    if warm is not None:
        try:
            forked = warm_plan(warm, budget_mb, workers=workers)
        except ValueError as error:
            forked = str(error)
    found = [
        _warm(warm, forked, workers),
        _cold(worker, cold, cap, workers),
        _trim(worker, trimmed, cap, workers),
    ]
    options, why = choose(found)
    made = StartChoice(options, why, None)
    return made._replace(warm=forked) if made.way == "warm" and isinstance(forked, RecyclePlan) else made


def most_done(worker: MeasuredWorker, plan: RecyclePlan) -> float:
    """Return the jobs per second of all workers of a plan."""
    assert worker.figures is not None
    return plan.workers * (1 - plan.throughput_cost) / worker.figures.job_s


def _how_to_measure(worker: MeasuredWorker, profile: str) -> str:
    methods = ",".join(dict.fromkeys([worker.method, BASELINE, WARM]))
    words = ["orchestrator", "run", *(["--profile", profile] if profile else [])]
    words += ["--only", worker.experiment, "--methods", methods]
    return f"what a fork takes was not measured; to measure it: {shlex.join(words)}"


def _warm(warm: MeasuredWorker | None, plan: RecyclePlan | str, workers: int) -> StartOption:
    words = "warm, every job"
    if warm is None or isinstance(plan, str):
        lacking = plan if isinstance(plan, str) else ""
        return StartOption(
            option="warm", words=words, start="warm", max_jobs=1, workers=workers, lacking=lacking
        )
    assert warm.template_mb is not None
    return StartOption(
        option="warm",
        words=words,
        start="warm",
        max_jobs=1,
        workers=plan.workers,
        workers_that_fit=plan.workers_that_fit,
        jobs_per_s=most_done(warm, plan),
        memory_mb=warm.template_mb + plan.workers * plan.memory_per_worker_mb,
        template_mb=warm.template_mb,
    )


def _cold(worker: MeasuredWorker, plan: RecyclePlan | str, cap: int | None, workers: int) -> StartOption:
    figures = worker.figures
    assert figures is not None
    if isinstance(plan, str):
        return StartOption(option="cold", words="cold", start="cold", workers=workers, lacking=plan)
    jobs = _fewer(plan.max_jobs, cap)
    unknown = figures.rate_high_mb is None
    each_mb = max(plan.memory_per_worker_mb, plan.max_rss_mb or 0.0) if unknown else _size_mb(figures, jobs)
    return StartOption(
        option="cold",
        words="cold, recycled by its size" if unknown and jobs is None else f"cold, {_every(jobs)}",
        start="cold",
        max_jobs=jobs,
        workers=plan.workers,
        workers_that_fit=plan.workers_that_fit,
        jobs_per_s=_jobs_per_s(plan.workers, figures, jobs),
        memory_mb=plan.workers * each_mb,
        lacking="its growth is not known, so that starts are not counted" if unknown else "",
    )


def _trim(worker: MeasuredWorker, trimmed: Trimmed | None, cap: int | None, workers: int) -> StartOption:
    figures = worker.figures
    assert figures is not None
    if trimmed is None:
        lacking = "no trim of this run has given growth back" if figures.growth_mb else "nothing grows"
        if figures.rate_high_mb is None:
            lacking = "its growth is not known"
        return StartOption(option="trim", words="trim", start="cold", workers=workers, lacking=lacking)
    plan = trimmed.plan
    jobs = _fewer(plan.max_jobs, cap)
    return StartOption(
        option="trim",
        words=f"trim every {trimmed.every} jobs, cold, {_every(jobs)}",
        start="cold",
        max_jobs=jobs,
        trim_every=trimmed.every,
        workers=plan.workers,
        workers_that_fit=plan.workers_that_fit,
        jobs_per_s=_jobs_per_s(plan.workers, figures, jobs),
        memory_mb=plan.workers * plan.memory_per_worker_mb,
        lacking="what a trim costs in time was not measured",
    )


def _jobs_per_s(workers: int, figures: WorkerFigures, jobs: int | None) -> float:
    return workers * (1 - throughput_cost(jobs, figures.start_s, figures.job_s)) / figures.job_s


def _size_mb(figures: WorkerFigures, jobs: int | None) -> float:
    return figures.busy_mb + figures.grown_mb(jobs)


def _fewer(jobs: int | None, cap: int | None) -> int | None:
    return min((each for each in (jobs, cap) if each is not None), default=None)


def _every(jobs: int | None) -> str:
    if jobs is None:
        return "never recycled"
    return "every job" if jobs == 1 else f"every {jobs} jobs"

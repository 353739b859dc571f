"""From the results of a run to a plan per model: when a pool recycles its workers, and what else to do.

::

    results ──▶ measured workers ──▶ which series informs a model ──▶ figures ──▶ plan ──▶ advice, [recycle]

A pool keeps a model and does job after job, so that ``reuse`` tells most of it, then ``restart``; ``recreate``, whose
growth is that of loads and jobs together, stands in where nothing else was measured, and not where its models were
abandoned: no pool does that. The baseline tells what a
start costs. The arithmetic is :mod:`orchestrator.analysis.planning.recycling`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from orchestrator.analysis.planning.model_plan import ModelPlan, RunPlan
from orchestrator.analysis.planning.recycling import RecyclePlan, plan_recycling, throughput_cost
from orchestrator.analysis.planning.start_options import StartOption, choose
from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.readings import MB
from orchestrator.experiments.planning.plan_advice import (
    Trimmed,
    advice_for,
    basis,
    crash_cap,
    levers_for,
    trimmed_plan,
)
from orchestrator.experiments.planning.start_choice import (
    NO_CHOICE,
    StartChoice,
    can_be_warm,
    most_done,
    start_choice,
    warm_beside,
    warm_plan,
)
from orchestrator.experiments.planning.worker_figures import BASELINE, WARM, MeasuredWorker, measured_workers
from orchestrator.experiments.results.results_file import Results
from orchestrator.experiments.results.run_results import load_run
from orchestrator.files.untrusted import content_of
from orchestrator.process.host.cores import usable_cores
from orchestrator.process.host.usable_memory import free_budget_bytes

_INFORMS = {"reuse": 0, "restart": 1, "recreate": 2, BASELINE: 3}


def plan_run(
    path: Path,
    *,
    budget_bytes: int | None = None,
    workers: int | None = None,
    model: str | None = None,
    warm: bool = True,
) -> RunPlan:
    """Return the plan for the models of a run.

    Args:
        path: A run's folder, a results folder (its newest run), or a result file.
        budget_bytes: Memory for all workers together; default what machine and control group leave at the
            moment, less a reserve.
        workers: Workers side by side; default the number that does most within the budget and the cores.
        model: Only this model.
        warm: Whether workers may be forked for every job, which whoever follows the plan must be able to ask for.

    Raises:
        ResultsError: There is nothing usable; says why for every model.
    """
    with content_of(path):
        plan = plan_results(
            load_run(path),
            source=str(path),
            budget_bytes=budget_bytes,
            workers=workers,
            model=model,
            warm=warm,
        )
    if not plan.models:
        why = "\n".join(f"  {line}" for line in plan.left_out) or "  no model in it"
        raise ResultsError(f"{path}: nothing to plan from:\n{why}")
    return plan


def plan_results(
    results: Mapping[str, Results],
    *,
    source: str,
    budget_bytes: int | None = None,
    workers: int | None = None,
    model: str | None = None,
    warm: bool = True,
) -> RunPlan:
    """Return the plan for the models of results by experiment; arguments as for :func:`plan_run`.

    Raises:
        ResultsError: There is no such model, or the results cannot be read.
    """
    by_role: dict[str, list[MeasuredWorker]] = {}
    for one in results.values():
        for worker in measured_workers(one):
            by_role.setdefault(worker.role, []).append(worker)
    if model is not None and model not in by_role:
        known = ", ".join(by_role) or "none"
        raise ResultsError(f"{source}: no model {model!r} in it; there are: {known}")
    budget_mb = (budget_bytes if budget_bytes is not None else free_budget_bytes()) / MB
    left_out: list[str] = []
    chosen: list[tuple[MeasuredWorker, list[MeasuredWorker], int]] = []
    for role, every in by_role.items():
        if model is not None and role != model:
            continue
        informing = _informing(every)
        if informing is None:
            left_out.append(_why_not(role, every))
            continue
        try:
            chosen.append((informing, every, _count(informing, every, budget_mb, workers, warm=warm)))
        except ValueError as error:
            left_out.append(f"{role}: {error}")
    count = workers if workers is not None else min((most for _, _, most in chosen), default=1)
    profile = next((one.profile for one in results.values()), "")
    return RunPlan(
        source=source,
        budget_mb=budget_mb,
        workers=count,
        models=[
            _model_plan(informing, every, budget_mb, count, profile if warm else None)
            for informing, every, _ in chosen
        ],
        left_out=left_out,
        profile=profile,
    )


def _informing(every: Sequence[MeasuredWorker]) -> MeasuredWorker | None:
    """Return the series that tells most of a model: the nearest method, alone in its process, the longest.

    One that the method warm stands beside is preferred to a longer one: only there forks can be compared.
    """

    def rank(worker: MeasuredWorker) -> tuple[bool, int, bool, bool, int]:
        known = worker.figures is not None and worker.figures.rate_high_mb is not None
        alone = warm_beside(worker, every) is None
        return (not known, _INFORMS[worker.method], worker.sharing > 1, alone, -worker.iterations)

    usable = [
        worker
        for worker in every
        if worker.figures is not None and not worker.abandoned and "@" not in worker.series
        if worker.method != WARM  # its processes are too short-lived to show growth
    ]
    return min(usable, key=rank, default=None)


def _why_not(role: str, every: Sequence[MeasuredWorker]) -> str:
    reasons = dict.fromkeys(
        f"{worker.experiment}/{worker.series}: {worker.judgement.sentence}; "
        f"{worker.lacking or ('each model was left behind, which no pool does' if worker.abandoned else 'a variant')}"
        for worker in every
    )
    return f"{role}: " + "; ".join(reasons)


def _count(
    worker: MeasuredWorker,
    every: Sequence[MeasuredWorker],
    budget_mb: float,
    workers: int | None,
    *,
    warm: bool,
) -> int:
    """Return how many workers the better way holds, cold or forked for every job.

    Raises:
        ValueError: The budget holds neither.
    """
    forks = warm_beside(worker, every) if warm and can_be_warm(worker, every) else None
    refused: list[ValueError] = []
    found: list[StartOption] = []
    for one in (worker, forks):
        if one is None:
            continue
        try:
            plan = _arithmetic(one, budget_mb, workers)
        except ValueError as error:
            refused.append(error)
            continue
        found.append(
            StartOption(
                option="cold" if one is worker else "warm",
                words="",
                start="cold" if one is worker else "warm",
                workers=plan.workers,
                jobs_per_s=most_done(one, plan),
                memory_mb=(one.template_mb or 0.0) + plan.workers * plan.memory_per_worker_mb,
            )
        )
    if not found:
        raise refused[0]
    return next(one.workers for one in choose(found)[0] if one.chosen)


def _arithmetic(worker: MeasuredWorker, budget_mb: float, workers: int | None) -> RecyclePlan:
    assert worker.figures is not None
    threads = int(worker.model.get("threads") or 1)
    most = max(1, usable_cores() // threads)
    if worker.template_mb is not None:
        return warm_plan(worker, budget_mb, workers=workers, most_workers=most)
    return plan_recycling(worker.figures, budget_mb=budget_mb, workers=workers, most_workers=most)


class _Ways(NamedTuple):
    """How a model's workers can be kept: recycled cold (or why not), trimmed, and what was chosen."""

    cold: RecyclePlan | str
    trimmed: Trimmed | None
    choice: StartChoice

    @property
    def used(self) -> RecyclePlan:
        """The plan to follow."""
        if self.choice.warm is not None:
            return self.choice.warm
        if self.trimmed is not None:
            return self.trimmed.plan
        assert isinstance(self.cold, RecyclePlan)
        return self.cold


def _ways(
    worker: MeasuredWorker,
    every: Sequence[MeasuredWorker],
    budget_mb: float,
    count: int,
    profile: str | None,
) -> _Ways:
    cold: RecyclePlan | str
    try:
        cold = _arithmetic(worker, budget_mb, count)
    except ValueError as error:
        cold = str(error)
    trimmed = None if isinstance(cold, str) else trimmed_plan(worker, budget_mb, count)
    if profile is None:
        return _Ways(cold, trimmed, NO_CHOICE)
    choice = start_choice(
        worker,
        every,
        cold=cold,
        trimmed=trimmed,
        cap=crash_cap(every),
        budget_mb=budget_mb,
        workers=count,
        profile=profile,
    )
    if choice.way not in (None, "trim"):
        trimmed = None
    return _Ways(cold, trimmed, choice)


def _model_plan(
    worker: MeasuredWorker,
    every: Sequence[MeasuredWorker],
    budget_mb: float,
    count: int,
    profile: str | None,
) -> ModelPlan:
    """Return the plan for ``count`` workers; a ``profile``: their start may be chosen too."""
    ways = _ways(worker, every, budget_mb, count, profile)
    used, trimmed, choice = ways.used, ways.trimmed, ways.choice
    measured = warm_beside(worker, every) if choice.warm is not None else worker
    assert measured is not None
    figures, grown = measured.figures, worker.figures
    assert figures is not None
    assert grown is not None
    cap = None if choice.warm is not None else crash_cap(every)
    crashed = cap is not None and (used.max_jobs is None or cap < used.max_jobs)
    max_jobs = cap if crashed else used.max_jobs
    alone = ways.cold if isinstance(ways.cold, RecyclePlan) else None
    levers = [] if alone is None else levers_for(worker, every, alone, budget_mb, count)
    made = ModelPlan(
        model=worker.role,
        label=str(worker.model.get("label") or worker.role),
        engine=str(worker.model.get("engine") or ""),
        experiment=worker.experiment,
        series=worker.series,
        verdict=worker.judgement.verdict,
        iterations=worker.judgement.iterations,
        basis=basis(worker),
        rate_mb_per_job=grown.rate_high_mb,
        base_mb=figures.base_mb,
        peak_above_base_mb=figures.peak_above_base_mb,
        start_s=figures.start_s,
        job_s=figures.job_s,
        max_jobs=max_jobs,
        max_rss_mb=used.max_rss_mb,
        hard_rss_mb=used.hard_rss_mb,
        trim_every=trimmed.every if trimmed else None,
        memory_per_worker_mb=used.memory_per_worker_mb,
        workers_that_fit=used.workers_that_fit,
        throughput_cost=throughput_cost(cap, figures.start_s, figures.job_s)
        if crashed
        else used.throughput_cost,
        best_jobs=alone.best_jobs if alone is not None else None,
        reason=used.reason
        if trimmed is None
        else f"with the trims {used.reason[0].lower()}{used.reason[1:]}",
        levers=levers,
        start=choice.start,
        template_mb=measured.template_mb,
        options=choice.options,
        choice=choice.why,
        net_change=worker.own.per_iteration if worker.own is not None else None,
        crashed_after=cap if crashed else None,
    )
    advice: list[str] = []
    if alone is not None:
        is_warm = choice.warm is not None
        advice = advice_for(worker, every, plan=alone, trimmed=trimmed, cap=cap, levers=levers, warm=is_warm)
    return msgspec.structs.replace(made, advice=advice, recycle=_table(made))


def _table(plan: ModelPlan) -> dict[str, int | str]:
    """Return the keys of a ``[recycle]`` table; sizes are rounded down to whole MiB."""
    sizes = {"max_rss": plan.max_rss_mb, "hard_rss": plan.hard_rss_mb}
    said: dict[str, int | str | None] = {
        "max_jobs": plan.max_jobs,
        **{key: None if size is None else _mib(size) for key, size in sizes.items()},
        "trim_every": plan.trim_every,
    }
    return {key: value for key, value in said.items() if value is not None}


def _mib(size_mb: float) -> str:
    return f"{max(1, int(size_mb))}MiB"

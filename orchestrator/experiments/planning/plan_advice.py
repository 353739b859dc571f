"""What a plan says beside its numbers: where they come from, and what does instead of recycling.

Growth that the allocator holds although the program has freed it is *retention*: a heap trim or another setting of the
allocator gives it back without a new process. It is only advised where the run itself shows it: by the trim
after the last reading, or by a variant of the same series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.planning.model_plan import Lever
from orchestrator.analysis.planning.net_change_words import with_error
from orchestrator.analysis.planning.recycling import (
    RecyclePlan,
    WorkerFigures,
    plan_recycling,
    throughput_cost,
)
from orchestrator.experiments.planning.own_growth import OwnGrowth
from orchestrator.experiments.planning.worker_figures import BASELINE, MeasuredWorker

MOST_OF = 0.5
"""Share of the growth above which a part of it is what it is made of."""
TRIM_SETTING = "MALLOC_TRIM_THRESHOLD_"
"""What makes the C library give free memory back at once, and place large blocks where it can."""
TRIM_SHARE = 0.1
"""Free memory a worker may hold between two trims, as a share of its base."""


class Trimmed(NamedTuple):
    """A plan with heap trims: ``every`` so many jobs, the growth left, in MB per job, and what follows from it."""

    every: int
    rate_high_mb: float
    plan: RecyclePlan


def basis(worker: MeasuredWorker) -> str:
    """Return in words where the growth that is planned with comes from."""
    where, judgement = f"{worker.experiment}/{worker.series}", worker.judgement
    if worker.method == BASELINE:
        return f"{where}: fresh processes only, so that growth is not known"
    figures = worker.figures
    if figures is None or figures.rate_high_mb is None:
        return f"{where} is {judgement.verdict} after {judgement.iterations} iterations: growth is not known"
    if judgement.verdict in CLEAN:
        return f"{where} does not leak ({judgement.verdict}): no growth"
    source = f"{where} is {judgement.verdict}: RSS grows by at most {figures.rate_high_mb:.3g} MB per job"
    if worker.method == "recreate":
        source += ", loads and jobs together, which is more than jobs alone" if worker.sharing == 1 else ""
    if worker.own is not None:
        return _basis_of_own(where, worker, worker.own)
    if worker.sharing > 1:
        source += f", {worker.sharing} models in one process together"
    return source


def _basis_of_own(where: str, worker: MeasuredWorker, own: OwnGrowth) -> str:
    assert worker.figures is not None
    mean = with_error(own.per_iteration)
    models = f"{worker.sharing} models" if worker.sharing > 1 else "one model"
    what = "live heap" if own.channel == "live" else "RSS"
    said = (
        f"{where}, {models} in one process, is {worker.judgement.verdict}; this model's own net change "
        f"of {what} is {mean} MB per iteration"
    )
    grows = f"RSS grows by at most {worker.figures.growth_mb:.3g} MB per job"
    if own.finding == "nothing":
        return f"{said}: no growth of its own"
    if own.per_job is not None:
        return f"{said}, {with_error(own.per_job)} per job: {grows}"
    return f"{said}: {grows}, loads and jobs together"


def trimmed_plan(worker: MeasuredWorker, budget_mb: float, workers: int) -> Trimmed | None:
    """Return a plan with trims, where the run has shown that a trim gives the growth back.

    Trims are so frequent that what is held between two of them stays within a tenth of the base. What then
    still grows is the live heap, or RSS less what was held, whichever is more.
    """
    figures, judgement = worker.figures, worker.judgement
    held, low = judgement.composition.held_free, judgement.rss_ci_low
    if figures is None or not figures.growth_mb or held is None or low is None or low <= 0:
        return None
    if worker.own is not None:  # what is held was not told apart by models
        return None
    shown = (worker.trim_released_mb or 0.0) >= MOST_OF * worker.grown_mb > 0
    held = worker.per_job(held)
    if not shown or held < MOST_OF * figures.growth_mb:
        return None
    every = max(1, int(TRIM_SHARE * figures.base_mb / held))
    live = worker.per_job(judgement.heap_ci_high or 0.0)
    left = max(live, figures.growth_mb - held, 0.0)
    grown = WorkerFigures(
        rate_high_mb=left,
        base_mb=figures.base_mb + every * held,
        peak_above_base_mb=figures.peak_above_base_mb,
        start_s=figures.start_s,
        job_s=figures.job_s,
    )
    try:
        return Trimmed(every, left, plan_recycling(grown, budget_mb=budget_mb, workers=workers))
    except ValueError:
        return None


def levers_for(
    worker: MeasuredWorker, every: Sequence[MeasuredWorker], plan: RecyclePlan, budget_mb: float, workers: int
) -> list[Lever]:
    """Return what each variant of the informing series would change, planned for the same workers."""
    figures = worker.figures
    assert figures is not None
    found: list[Lever] = []
    for one in every:
        other = one.figures
        same = (one.experiment, one.method) == (worker.experiment, worker.method)
        if not (same and one.series != worker.series and other is not None):
            continue
        try:
            own = plan_recycling(other, budget_mb=budget_mb, workers=workers)
        except ValueError:
            continue
        speed = _jobs_per_s(other, own) / _jobs_per_s(figures, plan)
        known = other.rate_high_mb is not None and figures.rate_high_mb is not None
        found.append(
            Lever(
                series=one.series,
                environment=one.environment,
                rate_mb_per_job=other.rate_high_mb,
                job_s=other.job_s,
                max_jobs=own.max_jobs,
                throughput_cost=own.throughput_cost,
                speed=speed,
                better=known and other.growth_mb < MOST_OF * figures.growth_mb and speed >= 1,
            )
        )
    return found


def _jobs_per_s(figures: WorkerFigures, plan: RecyclePlan) -> float:
    return (1 - throughput_cost(plan.max_jobs, figures.start_s, figures.job_s)) / figures.job_s


def crash_cap(every: Sequence[MeasuredWorker]) -> int | None:
    """Return how many jobs a kept model has survived, where it crashed; None where it did not, or at once."""
    survived = [
        round(worker.iterations * worker.jobs_per_iteration)
        for worker in every
        if worker.method in {"reuse", "restart"} and worker.judgement.outcome == "crashed"
        if "@" not in worker.series and worker.iterations
    ]
    return min(survived, default=None)


def advice_for(
    worker: MeasuredWorker,
    every: Sequence[MeasuredWorker],
    *,
    plan: RecyclePlan,
    trimmed: Trimmed | None,
    cap: int | None,
    levers: Sequence[Lever],
    warm: bool = False,
) -> list[str]:
    """Return what else there is to know or to do, the weightiest first, in sentences.

    Of a plan that forks a ``warm`` worker for every job that is what has crashed: nothing grows, and nothing is kept.
    """
    if warm:
        return list(_crashes(every, None))
    return [
        *_crashes(every, cap),
        *_verdict(worker),
        *_retention(worker, plan, trimmed, levers),
        *(_lever(lever, worker) for lever in levers),
        *_cost(plan),
    ]


def _crashes(every: Sequence[MeasuredWorker], cap: int | None) -> Iterator[str]:
    for worker in every:
        if worker.judgement.outcome == "crashed" and "@" not in worker.series:
            yield f"{worker.experiment}/{worker.series} {worker.judgement.sentence}"
    if cap is not None:
        survived = "1 job" if cap == 1 else f"{cap} jobs"
        yield (
            f"A kept model has survived {survived} before it crashed: to recycle it after as many is a guess from one "
            "crash, no cure; find out why it crashes"
        )


def _verdict(worker: MeasuredWorker) -> Iterator[str]:
    judgement = worker.judgement
    if worker.own is not None and worker.own.finding == "nothing":
        yield "Nothing need be recycled for its memory; the growth of that process is another model's"
    elif judgement.verdict == "inconclusive":
        yield "The verdict is open; this plan is on the safe side of its interval"
        yield from (f"To settle it: {what}" for what in judgement.settle[:1])
    elif judgement.verdict == "slow-growth":
        yield "It grows more and more slowly: with more iterations the plan may allow more jobs, or may not be needed"
    elif judgement.verdict in CLEAN:
        yield "Nothing need be recycled; hard_rss, where given, is for what was not seen"
    if worker.method == BASELINE:
        yield "Measure the method reuse or restart too: only a kept model shows growth"


def _retention(
    worker: MeasuredWorker, plan: RecyclePlan, trimmed: Trimmed | None, levers: Sequence[Lever]
) -> Iterator[str]:
    held, figures = worker.judgement.composition.held_free, worker.figures
    if held is None or figures is None or not figures.growth_mb or worker.own is not None:
        return
    held = worker.per_job(held)
    if held < MOST_OF * figures.growth_mb:
        return
    held = min(held, figures.growth_mb)
    yield f"{held:.3g} of {figures.growth_mb:.3g} MB per job is free memory that the allocator holds, no part of a leak"
    if trimmed is None:
        if not any(TRIM_SETTING in lever.environment for lever in levers):
            yield f"A variant with {TRIM_SETTING}=131072 would show what giving it back costs"
        return
    without = "never" if plan.max_jobs is None else f"every {plan.max_jobs} jobs"
    yield (
        f"The trim at the end gave back {worker.trim_released_mb:.0f} MB, where {worker.grown_mb:.0f} MB had grown: "
        f"with trim_every = {trimmed.every} about {trimmed.rate_high_mb:.3g} MB per job is left; without it, recycle "
        f"{without}. What a trim costs in time was not measured"
    )


def _lever(lever: Lever, worker: MeasuredWorker) -> str:
    figures = worker.figures
    assert figures is not None
    rate = (
        "by an unknown amount"
        if lever.rate_mb_per_job is None
        else f"by at most {lever.rate_mb_per_job:.3g} MB per job"
    )
    percent = round((lever.job_s / figures.job_s - 1) * 100)
    time = f"take {percent:+d} % time" if percent else "take as long"
    period = "never" if lever.max_jobs is None else f"every {lever.max_jobs} jobs"
    verdict = "better than recycling alone" if lever.better else "no gain over recycling alone"
    return (
        f"{lever.environment or lever.series}: RSS grows {rate}, jobs {time}, recycled {period}: "
        f"{lever.speed:.2f} times the jobs per second, {verdict}"
    )


def _cost(plan: RecyclePlan) -> Iterator[str]:
    if plan.throughput_cost > MOST_OF:
        yield "Most of the time goes into starts: give it more memory per worker, or fewer workers"

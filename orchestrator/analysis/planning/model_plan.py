"""What is planned for the models of a run, in a form that files keep and every report shows.

Megabytes are 1024² bytes; growth is per job. How a plan is worked out is :mod:`.recycling`'s part, what it is
read from that of who knows the results.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from orchestrator.analysis.planning.net_change import Interval
from orchestrator.analysis.planning.start_options import StartOption


class Lever(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant of the same series measured: another environment instead of, or beside, recycling.

    Attributes:
        series: Key of the variant's series.
        environment: What it sets, such as ``MALLOC_TRIM_THRESHOLD_=131072``.
        rate_mb_per_job: Upper end of the interval of its growth; None when not known.
        job_s: Seconds of one job.
        max_jobs: Its own period; None when nothing need be recycled.
        throughput_cost: Share (0 to 1) of the time that starting afresh takes with it.
        speed: Jobs per second with it over those without, starts counted on both sides.
        better: Whether it is the better choice: less growth and no fewer jobs per second.
    """

    series: str
    environment: str
    rate_mb_per_job: float | None
    job_s: float
    max_jobs: int | None
    throughput_cost: float
    speed: float
    better: bool


class ModelPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan for one model.

    Attributes:
        model: Name of the model or role.
        label: What tables call it.
        engine: Its engine.
        experiment: The experiment that informs the plan.
        series: The series of it that does.
        verdict: What that was judged as.
        iterations: Readings that the verdict is made of.
        basis: Where the growth comes from, in words.
        rate_mb_per_job: Upper end of the interval of the RSS rate; 0 for no growth, None when not known.
        base_mb: RSS of a warm worker between jobs.
        peak_above_base_mb: How far RSS rises above that within a job.
        start_s: Seconds to start a worker and load its model.
        job_s: Seconds of one job.
        max_jobs: Recycle after so many jobs; None when not needed.
        max_rss_mb: Recycle above this RSS; None when not needed.
        hard_rss_mb: Never let RSS pass this; None when that is too near to what is expected.
        trim_every: Jobs between two heap trims; None where a trim does not help.
        memory_per_worker_mb: Most memory a worker is expected to take.
        workers_that_fit: How many of that size the budget holds.
        throughput_cost: Share (0 to 1) of the time that starting afresh takes.
        best_jobs: Period after the square-root rule.
        reason: Why the period is what it is.
        advice: What else to know or to do, in sentences.
        levers: What variants measured.
        recycle: The keys of its ``[recycle]`` table.
        start: How its workers are to be started where that was compared: ``warm`` or ``cold``; None where it was not.
        template_mb: Of a warm plan the memory of the template, there once beside the workers; else None.
        options: The ways that were compared, for a model that can be warm.
        choice: Why one of them is chosen, in a sentence.
        net_change: What the model itself leaves behind per iteration, where models of one process, or loads and jobs,
            were told apart; else None.
        crashed_after: Jobs after which a kept model crashed, where ``max_jobs`` is that and no more: one crash proves
            no number of jobs to be safe. Else None.
    """

    model: str
    label: str
    engine: str
    experiment: str
    series: str
    verdict: str
    iterations: int
    basis: str
    rate_mb_per_job: float | None
    base_mb: float
    peak_above_base_mb: float
    start_s: float
    job_s: float
    max_jobs: int | None
    max_rss_mb: float | None
    hard_rss_mb: float | None
    trim_every: int | None
    memory_per_worker_mb: float
    workers_that_fit: int
    throughput_cost: float
    best_jobs: float | None
    reason: str
    advice: list[str] = []
    levers: list[Lever] = []
    recycle: dict[str, int | str] = {}
    start: Literal["warm", "cold"] | None = None
    template_mb: float | None = None
    options: list[StartOption] = []
    choice: str = ""
    net_change: Interval | None = None
    crashed_after: int | None = None


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plans for a pool with the models of a run.

    Attributes:
        source: The run, folder or file it is made from.
        budget_mb: Memory for all workers together.
        workers: Workers side by side that it is made for.
        models: One plan per model.
        profile: The profile that was measured, whose models the plans are for; empty when not known.
        left_out: Models without a plan, and why, in sentences.
    """

    source: str
    budget_mb: float
    workers: int
    models: list[ModelPlan]
    left_out: list[str] = []
    profile: str = ""

    def table(self) -> str:
        """Return the ``[recycle]`` table of an experiments.toml, a table each for several models; ends in a newline.

        How a model is started is a key of the model's own table, which the file has already: it is a comment here.
        """
        parts = [self._start(plan) for plan in self.models if plan.start == "warm"]
        for plan in self.models:
            head = "[recycle]" if len(self.models) == 1 else f"[recycle.models.{_key(plan.model)}]"
            said = [f"{key} = {_value(value)}" for key, value in plan.recycle.items()]
            if plan.crashed_after is not None:
                said.insert(0, f"# it crashed after {plan.crashed_after} jobs: max_jobs is a guess, no cure")
            parts.append("\n".join([head, *(said or ["# nothing to recycle"])]) + "\n")
        return "\n".join(parts)

    def _start(self, plan: ModelPlan) -> str:
        table = f"profiles.{_key(self.profile or 'PROFILE')}.models.{_key(plan.model)}"
        return f'# this line into [{table}]:\n# start = "warm"\n'


def _key(name: str) -> str:
    return f'"{name}"' if "." in name else name


def _value(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)

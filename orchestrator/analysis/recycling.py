"""Plan recycling from a measured growth: when to start afresh, what that costs, how much memory it needs.

Pure arithmetic. Growth is taken at the upper end of the interval of the RSS rate: a plan that is wrong on the
safe side recycles a little early, one that is wrong on the other side breaks the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf, isfinite

_DEFAULT_COST_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """What was measured of one worker.

    Attributes:
        rate_high_mb: Upper end of the interval of the RSS rate, MB per job; zero or less is no growth.
        base_mb: RSS of a warm worker between jobs, MB.
        peak_above_base_mb: How far RSS rises above that within a job, MB.
        start_s: Time to start a worker and load its model, seconds.
        job_s: Time of one job, seconds, > 0.

    Raises:
        ValueError: A number is not finite, or negative where it must not be.
    """

    rate_high_mb: float
    base_mb: float
    peak_above_base_mb: float
    start_s: float
    job_s: float

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        _check(
            base_mb=self.base_mb,
            peak_above_base_mb=self.peak_above_base_mb,
            start_s=self.start_s,
            job_s=self.job_s,
        )
        if not isfinite(self.rate_high_mb):
            raise ValueError(f"rate_high_mb: expected a finite number, found {self.rate_high_mb}")
        if self.job_s == 0:
            raise ValueError("job_s: expected a number above 0, found 0")


@dataclass(frozen=True, slots=True)
class RecyclePlan:
    """When to recycle a worker, and what follows from it.

    Attributes:
        max_jobs: Recycle after so many jobs; None when growth never makes it necessary.
        max_rss_mb: Recycle when RSS is above this after a job, MB; None when growth never makes it necessary.
        memory_per_worker_mb: Most memory one worker takes, the peak within a job included, MB.
        workers: Workers that fit the budget side by side.
        throughput_cost: Share (0 to 1) of the time that starting afresh takes.
        rate_mb_per_job: Growth the plan reckons with, MB per job.
        reason: Why the plan is what it is, in plain words.
    """

    max_jobs: int | None
    max_rss_mb: float | None
    memory_per_worker_mb: float
    workers: int
    throughput_cost: float
    rate_mb_per_job: float
    reason: str


def plan_recycling(
    figures: WorkerFigures,
    *,
    budget_mb: float,
    workers: int | None = None,
    cost_share: float = _DEFAULT_COST_SHARE,
) -> RecyclePlan:
    """Return a plan that keeps all workers within the budget.

    Args:
        figures: What was measured of one worker.
        budget_mb: Memory for all workers together, MB.
        workers: Workers wanted; by default as many as fit while recycling costs no more than
            ``cost_share``.
        cost_share: Share of the time that starting afresh may take when the number of workers is free.

    Raises:
        ValueError: The budget does not hold one job of the workers, or a number makes no sense.
    """
    _check(budget_mb=budget_mb)
    if not 0 < cost_share < 1:
        raise ValueError(f"cost_share: expected a number between 0 and 1, found {cost_share}")
    rate = max(figures.rate_high_mb, 0.0)
    single = figures.base_mb + figures.peak_above_base_mb + rate
    count = _affordable_workers(figures, budget_mb, cost_share) if workers is None else workers
    if count < 1 or count * single > budget_mb:
        raise ValueError(
            f"a budget of {budget_mb:.0f} MB does not hold {max(count, 1)} worker(s):"
            f" each needs {single:.0f} MB for a single job"
        )
    room = budget_mb / count - figures.base_mb - figures.peak_above_base_mb
    jobs = jobs_within(rate, room)
    if jobs is None:
        reason = "no growth is to be expected, so recycling is not needed for memory"
        return RecyclePlan(None, None, single, count, 0.0, rate, reason)
    return RecyclePlan(
        jobs,
        figures.base_mb + rate * jobs,
        figures.base_mb + figures.peak_above_base_mb + rate * jobs,
        count,
        throughput_cost(jobs, figures.start_s, figures.job_s),
        rate,
        f"grows by at most {rate:.3g} MB per job; {room:.0f} MB of room per worker last for {jobs} jobs",
    )


def jobs_within(rate_mb: float, room_mb: float) -> int | None:
    """Return how many jobs of ``rate_mb`` growth fit into ``room_mb``; None when nothing grows."""
    if rate_mb <= 0:
        return None
    return max(floor(room_mb / rate_mb + 1e-9), 0)


def jobs_for_cost(cost_share: float, start_s: float, job_s: float) -> int:
    """Return after how many jobs recycling takes no more than ``cost_share`` (0 to 1) of the time."""
    needed = start_s * (1 - cost_share) / (cost_share * job_s)
    return max(1, -floor(-needed + 1e-9))


def throughput_cost(jobs: int | None, start_s: float, job_s: float) -> float:
    """Return the share of the time that a start every ``jobs`` jobs takes; 0 without recycling."""
    if jobs is None:
        return 0.0
    if jobs < 1:
        return 1.0
    return start_s / (start_s + jobs * job_s)


def workers_within(budget_mb: float, memory_per_worker_mb: float) -> int:
    """Return how many workers of that size fit the budget."""
    if memory_per_worker_mb <= 0:
        raise ValueError(f"memory_per_worker_mb must be above 0, found {memory_per_worker_mb}")
    return max(floor(budget_mb / memory_per_worker_mb + 1e-9), 0)


def _affordable_workers(figures: WorkerFigures, budget_mb: float, cost_share: float) -> int:
    """Return the most workers with room enough for cheap recycling; at least one if one fits at all."""
    rate = max(figures.rate_high_mb, 0.0)
    single = figures.base_mb + figures.peak_above_base_mb + rate
    jobs = jobs_for_cost(cost_share, figures.start_s, figures.job_s)
    comfortable = single + rate * (jobs - 1)
    if comfortable <= 0:
        return 1
    return max(workers_within(budget_mb, comfortable), min(1, workers_within(budget_mb, single)))


def _check(**numbers: float) -> None:
    for name, value in numbers.items():
        if not 0 <= value < inf:
            raise ValueError(f"{name}: expected a finite number of at least 0, found {value}")

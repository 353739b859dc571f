"""Plan recycling from a measured growth: when to start afresh, what that costs, how much memory it needs.

Pure arithmetic. Growth is taken at the upper end of the interval of the RSS rate: a plan that is wrong on the
safe side recycles a little early, one that is wrong on the other side breaks the budget. What the figures are
read from, and what else could be done, is decided elsewhere.

The period, in jobs, is the smaller of two::

    what fits    (share - base - peak above base) / rate      the share is budget / workers
    what pays    max(square-root rule, a start costs 1 %)     when memory is not what binds
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, sqrt

COST_SHARE = 0.01
"""Share of the time that starting afresh may take where nothing but the cost speaks against it."""
HARD_MARGIN = 1.2
"""A hard limit kills a job: it is only advised this far above all that is expected."""
SOFT_MARGIN = 1.1
"""A soft limit is at least so far above the planned size: no two runs are the same to the page."""
UNKNOWN_GROWTH = 1.25
"""Room for a worker of unknown growth, as a multiple of what one job takes."""
MOST_WORKERS = 1024


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """What was measured of one worker.

    Attributes:
        rate_high_mb: Upper end of the interval of the RSS rate, MB per job; zero or less is no growth, None is
            not known.
        base_mb: RSS of a warm worker between jobs, MB.
        peak_above_base_mb: How far RSS rises above that within a job, MB.
        start_s: Time to start a worker and load its model, seconds.
        job_s: Time of one job, seconds, > 0.

    Raises:
        ValueError: A number is not finite, or negative where it must not be.
    """

    rate_high_mb: float | None
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
        if self.rate_high_mb is not None and not isfinite(self.rate_high_mb):
            raise ValueError(f"rate_high_mb: expected a finite number, found {self.rate_high_mb}")
        if self.job_s == 0:
            raise ValueError("job_s: expected a number above 0, found 0")

    @property
    def growth_mb(self) -> float:
        """MB per job to reckon with; 0 for none and for not known."""
        return max(self.rate_high_mb or 0.0, 0.0)

    @property
    def busy_mb(self) -> float:
        """RSS of a warm worker at the peak of a job, before any growth, MB."""
        return self.base_mb + self.peak_above_base_mb

    @property
    def single_mb(self) -> float:
        """The least memory with which a worker can be planned: for one job, or with room for unknown growth, MB."""
        return self.busy_mb * UNKNOWN_GROWTH if self.rate_high_mb is None else self.busy_mb + self.growth_mb


@dataclass(frozen=True, slots=True)
class RecyclePlan:
    """When to recycle a worker, and what follows from it.

    Attributes:
        max_jobs: Recycle after so many jobs; None when growth does not make it necessary.
        max_rss_mb: Recycle when RSS is above this after a job, MB: one more job could pass the worker's share of
            the budget, or it has grown twice as much as planned. None when nothing grows.
        hard_rss_mb: RSS that is never to be passed, MB: the worker's share, where that is far enough above what
            is expected; else None.
        memory_per_worker_mb: Most memory one worker is expected to take, the peak within a job included, MB.
        workers: Workers planned for.
        workers_that_fit: Workers of that size that the budget holds.
        throughput_cost: Share (0 to 1) of the time that starting afresh takes.
        best_jobs: Period after the square-root rule, see :func:`best_period`; None without growth.
        rate_mb_per_job: Growth the plan reckons with, MB per job.
        reason: Why the plan is what it is, in plain words.
    """

    max_jobs: int | None
    max_rss_mb: float | None
    hard_rss_mb: float | None
    memory_per_worker_mb: float
    workers: int
    workers_that_fit: int
    throughput_cost: float
    best_jobs: float | None
    rate_mb_per_job: float
    reason: str


def plan_recycling(
    figures: WorkerFigures, *, budget_mb: float, workers: int | None = None, most_workers: int | None = None
) -> RecyclePlan:
    """Return a plan that keeps all workers within the budget.

    Args:
        figures: What was measured of one worker.
        budget_mb: Memory for all workers together, MB.
        workers: Workers wanted; by default the number with the most jobs per second, starts counted.
        most_workers: The highest number to choose; more than there are cores do no more work.

    Raises:
        ValueError: The budget does not hold one job of the workers, or a number makes no sense.
    """
    _check(budget_mb=budget_mb)
    count = workers if workers is not None else _best_count(figures, budget_mb, most_workers)
    if count < 1 or count * figures.single_mb > budget_mb * (1 + 1e-9):
        raise ValueError(
            f"a budget of {budget_mb:.0f} MB does not hold {'1 worker' if count <= 1 else f'{count} workers'}:"
            f" {'it' if count <= 1 else 'each'} needs {figures.single_mb:.0f} MB for a single job"
        )
    share_mb = budget_mb / count
    jobs = _period(figures, share_mb)
    memory_mb = figures.busy_mb + figures.growth_mb * (jobs or 0)
    return RecyclePlan(
        max_jobs=jobs,
        max_rss_mb=_soft_limit(figures, share_mb, jobs),
        hard_rss_mb=share_mb if share_mb >= memory_mb * HARD_MARGIN else None,
        memory_per_worker_mb=memory_mb,
        workers=count,
        workers_that_fit=workers_within(budget_mb, memory_mb) if memory_mb else count,
        throughput_cost=throughput_cost(jobs, figures.start_s, figures.job_s),
        best_jobs=best_period(figures),
        rate_mb_per_job=figures.growth_mb,
        reason=_reason(figures, share_mb, jobs),
    )


def _reason(figures: WorkerFigures, share_mb: float, jobs: int | None) -> str:
    if figures.rate_high_mb is None:
        return f"the growth is not known, so only the worker's share of {share_mb:.0f} MB limits it"
    if jobs is None:
        return "no growth is to be expected, so recycling is not needed for memory"
    room_mb = share_mb - figures.busy_mb
    fits = jobs_within(figures.growth_mb, room_mb)
    grows = f"grows by at most {figures.growth_mb:.3g} MB per job"
    if fits == jobs:
        return f"{grows}; {room_mb:.0f} MB of room per worker last for {jobs} jobs"
    cost = throughput_cost(jobs, figures.start_s, figures.job_s)
    return (
        f"{grows}; {room_mb:.0f} MB of room per worker would last for {fits} jobs, but after {jobs} a start costs "
        f"only {cost:.1%} of the time, and what has grown goes back to the machine"
    )


def best_period(figures: WorkerFigures) -> float | None:
    """Return the number of jobs between two starts that makes the most of memory; None when nothing grows.

    A worker that is recycled every ``n`` jobs does ``n`` jobs in ``s + n j`` seconds (``s`` to start, ``j`` a job)
    and must be given ``c + r n`` MB (``c`` at the peak of a job, ``r`` the growth). Jobs per second and MB are
    ``n / ((s + n j) (c + r n))``; the derivative is zero where ``c s = r j n²``, so ``n = sqrt(c s / (r j))``. It is
    the square-root rule of economic lot size (F. W. Harris, 1913) and of checkpoint intervals (J. W. Young, 1974).
    """
    if figures.growth_mb <= 0:
        return None
    return sqrt(figures.busy_mb * figures.start_s / (figures.growth_mb * figures.job_s))


def jobs_within(rate_mb: float, room_mb: float) -> int | None:
    """Return how many jobs of ``rate_mb`` growth fit into ``room_mb``; None when nothing grows."""
    if rate_mb <= 0:
        return None
    return max(floor(room_mb / rate_mb + 1e-9), 0)


def jobs_for_cost(cost_share: float, start_s: float, job_s: float) -> int:
    """Return after how many jobs recycling takes no more than ``cost_share`` (0 to 1) of the time.

    Raises:
        ValueError: ``cost_share`` is no share.
    """
    if not 0 < cost_share < 1:
        raise ValueError(f"cost_share: expected a number between 0 and 1, found {cost_share}")
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


def _period(figures: WorkerFigures, share_mb: float) -> int | None:
    fits = jobs_within(figures.growth_mb, share_mb - figures.busy_mb)
    best = best_period(figures)
    if fits is None or best is None:
        return None
    return max(1, min(fits, max(ceil(best), jobs_for_cost(COST_SHARE, figures.start_s, figures.job_s))))


def _soft_limit(figures: WorkerFigures, share_mb: float, jobs: int | None) -> float | None:
    """RSS after a job above which one more job, its growth and its peak, could pass the share.

    Less, where the plan needs far less: twice the planned growth, or a tenth above the planned size.
    """
    if figures.rate_high_mb is None:
        return share_mb - figures.peak_above_base_mb
    if jobs is None:
        return None
    growth_mb = figures.growth_mb * jobs
    planned_mb = max(figures.base_mb + 2 * growth_mb, SOFT_MARGIN * (figures.base_mb + growth_mb))
    return min(share_mb - figures.peak_above_base_mb - figures.growth_mb, planned_mb)


def _best_count(figures: WorkerFigures, budget_mb: float, most: int | None) -> int:
    """Return the number of workers with the most jobs per second together; the fewest of equals."""
    if figures.single_mb <= 0:
        return most or 1
    fitting = min(workers_within(budget_mb, figures.single_mb), most or MOST_WORKERS, MOST_WORKERS)

    def jobs_per_s(count: int) -> float:
        jobs = _period(figures, budget_mb / count)
        return count * (1 - throughput_cost(jobs, figures.start_s, figures.job_s)) / figures.job_s

    return max(range(1, fitting + 1), key=jobs_per_s, default=0)


def _check(**numbers: float) -> None:
    for name, value in numbers.items():
        if not 0 <= value < inf:
            raise ValueError(f"{name}: expected a finite number of at least 0, found {value}")

"""Plan recycling from a measured growth: when to start afresh, what that costs, how much memory it needs.

Pure arithmetic. Growth is taken at the upper end of the interval of the RSS rate: a plan that is wrong on the
safe side recycles a little early, one that is wrong on the other side breaks the budget. Where growth varies from job
to job, one more job counts with an upper quantile, and many jobs with what their sum may stray (:mod:`.job_growth`).
What the figures are read from, and what else could be done, is decided elsewhere.

The period, in jobs, is the smaller of two::

    what fits    (share - base - peak above base) / rate      the share is budget / workers; less, where growth varies
    what pays    max(square-root rule, a start costs 1 %)     when memory is not what binds
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, sqrt

from orchestrator.analysis.planning.job_growth import jobs_within_spread

COST_SHARE = 0.01
"""Share of the time that starting afresh may take where nothing but the cost speaks against it."""
HARD_MARGIN = 1.2
"""A hard limit kills a job: it is only advised this far above all that is expected."""
HARD_LEAST_MB = 128.0
"""And at least so far: a small worker needs some room for inputs that were not measured."""
HARD_ROOM = 1.5
"""A hard limit lies this far above all that is expected, where the share allows: beyond that something is wrong."""
VARIES = 1.5
"""A single job that may add so many times the mean is mentioned."""
HARD_PEAKS = 3.0
"""And at least so many times the peak within a job above the worker's size: other inputs are longer."""
STRAY_Z = 2.33
"""The growth of a whole period is within what fits in 99 % of the lives."""
SOFT_MARGIN = 1.1
"""A soft limit is at least so far above the planned size: no two runs are the same to the page."""
UNKNOWN_GROWTH = 1.25
"""Room for a worker of unknown growth, as a multiple of what one job takes."""
UNKNOWN_SIZE = 2.0
"""A worker of unknown growth is recycled when it has come to so many times its size: no matter what would fit."""
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
        job_high_mb: What is to be kept free for the growth of one job, MB, see :func:`.job_growth.upper_job_growth`;
            what is less than the rate counts as the rate.
        spread_mb: By how much the growth of many jobs strays, MB per square root of their number.

    Raises:
        ValueError: A number is not finite, or negative where it must not be.
    """

    rate_high_mb: float | None
    base_mb: float
    peak_above_base_mb: float
    start_s: float
    job_s: float
    job_high_mb: float = 0.0
    spread_mb: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        _check(
            base_mb=self.base_mb,
            peak_above_base_mb=self.peak_above_base_mb,
            start_s=self.start_s,
            job_s=self.job_s,
            job_high_mb=self.job_high_mb,
            spread_mb=self.spread_mb,
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
    def one_job_mb(self) -> float:
        """MB to keep free for one more job; 0 where nothing grows."""
        return max(self.growth_mb, self.job_high_mb) if self.growth_mb else 0.0

    def grown_mb(self, jobs: int | None) -> float:
        """Return by how much ``jobs`` jobs let a worker grow, with what their sum may stray, MB."""
        if not jobs or not self.growth_mb:
            return 0.0
        return max(self.growth_mb * jobs + STRAY_Z * self.spread_mb * sqrt(jobs), self.one_job_mb)

    @property
    def busy_mb(self) -> float:
        """RSS of a warm worker at the peak of a job, before any growth, MB."""
        return self.base_mb + self.peak_above_base_mb

    @property
    def single_mb(self) -> float:
        """The least memory with which a worker can be planned: for one job, or with room for unknown growth, MB."""
        return self.busy_mb * UNKNOWN_GROWTH if self.rate_high_mb is None else self.busy_mb + self.one_job_mb


@dataclass(frozen=True, slots=True)
class RecyclePlan:
    """When to recycle a worker, and what follows from it.

    Attributes:
        max_jobs: Recycle after so many jobs; None when growth does not make it necessary.
        max_rss_mb: Recycle when RSS is above this after a job, MB: one more job could pass the worker's share of
            the budget, or it has grown twice as much as planned. None when nothing grows.
        hard_rss_mb: RSS that is never to be passed, MB: half as much again as all that is expected, at most the
            worker's share; None where the share is too near to what is expected.
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
    memory_mb = figures.busy_mb + figures.grown_mb(jobs)
    return RecyclePlan(
        max_jobs=jobs,
        max_rss_mb=_soft_limit(figures, share_mb, jobs),
        hard_rss_mb=_hard_limit(figures, share_mb, jobs),
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
        soft = _soft_limit(figures, share_mb, jobs) or share_mb
        return f"the growth is not known, so only its size limits it: {soft:.0f} MB of a share of {share_mb:.0f} MB"
    if jobs is None:
        return "no growth is to be expected, so recycling is not needed for memory"
    room_mb = share_mb - figures.busy_mb
    fits = _fitting_jobs(figures, room_mb)
    grows = f"grows by at most {figures.growth_mb:.3g} MB per job"
    if figures.one_job_mb > VARIES * figures.growth_mb:
        grows += f" on average and {figures.one_job_mb:.3g} MB in a single one"
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
    fits = _fitting_jobs(figures, share_mb - figures.busy_mb)
    best = best_period(figures)
    if fits is None or best is None:
        return None
    return max(1, min(fits, max(ceil(best), jobs_for_cost(COST_SHARE, figures.start_s, figures.job_s))))


def _fitting_jobs(figures: WorkerFigures, room_mb: float) -> int | None:
    """Return how many jobs fit, with what their growth may stray; None when nothing grows."""
    if not figures.growth_mb or not figures.spread_mb:
        return jobs_within(figures.growth_mb, room_mb)
    return floor(jobs_within_spread(figures.growth_mb, figures.spread_mb, room_mb, z=STRAY_Z) + 1e-9)


def _hard_limit(figures: WorkerFigures, share_mb: float, jobs: int | None) -> float | None:
    """RSS that only a worker with something wrong comes to; None where the share does not leave so much room."""
    if figures.rate_high_mb is None:
        soft = _soft_limit(figures, share_mb, jobs)
        expected = (soft or 0.0) + figures.peak_above_base_mb
        return min(share_mb, max(HARD_ROOM * expected, expected + HARD_LEAST_MB))
    expected = figures.busy_mb + figures.grown_mb(jobs)
    if share_mb < HARD_MARGIN * expected:
        return None
    soft = _soft_limit(figures, share_mb, jobs) or 0.0
    most = max(
        HARD_ROOM * expected,
        expected + HARD_LEAST_MB,
        expected + (HARD_PEAKS - 1) * figures.peak_above_base_mb,
        soft + figures.peak_above_base_mb + figures.one_job_mb,
    )
    return min(share_mb, most)


def _soft_limit(figures: WorkerFigures, share_mb: float, jobs: int | None) -> float | None:
    """RSS after a job above which one more job, its growth and its peak, could pass the share.

    Less, where the plan needs far less: twice the planned growth, or a tenth above the planned size. A worker that is
    above it works on while a successor loads, if there is room for one: what those jobs add must fit into that room.
    """
    if figures.rate_high_mb is None:
        return min(
            share_mb - figures.peak_above_base_mb, UNKNOWN_SIZE * figures.base_mb + figures.peak_above_base_mb
        )
    if jobs is None:
        return None
    grown_mb = figures.grown_mb(jobs)
    planned_mb = max(figures.base_mb + 2 * grown_mb, SOFT_MARGIN * (figures.base_mb + grown_mb))
    meanwhile_mb = figures.growth_mb * ceil(figures.start_s / figures.job_s)
    left_mb = figures.one_job_mb + max(0.0, meanwhile_mb - figures.base_mb)
    return min(max(share_mb - figures.peak_above_base_mb - left_mb, figures.base_mb), planned_mb)


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

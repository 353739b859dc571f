"""When a worker is replaced by what the pool has learnt of its model's growth. Pure: facts in, decision out.

*Budget*: a worker leaves before the job that could take it past its limit: its ceiling, the highest of the last
readings, plus the most that a job has ever gone above the ceiling before it.

*Replaced only where that helps*: a new process must come back to less. That is asked of the middle of the last readings
against the middle of the first; where growth is not certain of the lower quartile against the upper one, and in a
short life of the whole rise against the largest change ever seen from one reading to the next.

*A successor in time*: while a successor loads, further jobs are done. They count with the upper end of the rate only
where growth has not slowed down, and, until one worker of the model has outgrown its limit, only in the last tenth of
the room: before that nobody knows whether it is a leak or a cache that will be full in time.

*Cost*: while another model waits for memory, a worker that is known to grow, and does not slow down, leaves after
``sqrt(c s / (r j))`` jobs: the period with the most jobs per second and byte (``c`` its size at the peak of a job,
``r`` its growth per job, ``s`` a start, ``j`` a job, in seconds; derived at
:func:`orchestrator.analysis.planning.recycling.best_period`).
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import NamedTuple

from orchestrator.pool.core.recycling.growth_model import WINDOW, Growth, Trace

LAST_PART = 0.9
"""Share of its room that a worker may use before anything is planned for growth that may yet end."""
UNWATCHED_JOBS = 64
MOST_UNWATCHED_JOBS = 512
"""Short jobs that may be done between two readings, where even so many of the worst kind would still fit."""
WORTH_BYTES = 1 << 20
WORTH_SHARE = 0.1
"""What a new process must give back, at least, to be worth its start: bytes, or a share of its size where growth is
not certain."""
ROOM_KEPT = 0.5
"""Share of the room to grow that must be left when room for a successor is kept free."""
ROOM_KEPT_AT_FIRST = 0.75
"""The same until a worker of the model has outgrown its limit."""


class Standing(NamedTuple):
    """Where a worker stands between two jobs.

    ``limit_bytes`` is what it may take, ``start_s`` and ``job_s`` what a start and a job take (None: not known),
    ``crowded`` whether another model waits for memory, ``outgrown`` whether a worker of the model has come to its
    limit before.
    """

    limit_bytes: int
    start_s: float | None = None
    job_s: float | None = None
    crowded: bool = False
    outgrown: bool = True


class Due(NamedTuple):
    """A worker is to be replaced. ``at_once``: not one more job. ``by_cost``: not because of the budget."""

    at_once: bool
    by_cost: bool = False


def learned_due(trace: Trace, growth: Growth, standing: Standing) -> Due | None:
    """Return whether a worker that stands between two jobs is to be replaced; None while it may stay.

    One that has not grown stays whatever the limit: a new process would be no smaller.
    """
    if not _gives_back(trace, growth):
        return None
    # Each worker uses another share of its room, so that those started together do not leave together.
    limit = int(standing.limit_bytes - max(0, standing.limit_bytes - trace.first) * trace.slack)
    next_peak = _next_peak(trace, growth, limit)
    if next_peak > limit:
        return Due(at_once=True)
    if standing.start_s is None or not standing.job_s:
        return None
    grows = growth.certain and not trace.slows_down
    # Jobs that are done while the successor loads. They have the upper end of the rate: too early costs a part of a
    # life, too late the budget.
    meanwhile = ceil(standing.start_s / standing.job_s)
    if (
        grows
        and (standing.outgrown or _last_part(trace, limit))
        and next_peak + meanwhile * max(growth.rate_high or 0.0, 0.0) > limit
    ):
        return Due(at_once=False)
    best = best_jobs(trace, growth, standing.start_s, standing.job_s)
    # Nobody else wants the memory that a larger worker holds: then a start is a cost without a use.
    if standing.crowded and grows and best is not None and trace.jobs >= best:
        return Due(at_once=True, by_cost=True)
    return None


def _next_peak(trace: Trace, growth: Growth, limit: int) -> int:
    """Return what the next job may take a worker to, in bytes.

    Of a young worker that is the lesser of two: a rise as earlier ones at that age, or the level that they had come to
    by the end of it. Peaks within jobs that no new process could hold either are no reason to replace one.
    """
    ceiling, rise = trace.ceiling, growth.rise
    reached = ceiling + rise
    if trace.jobs < WINDOW:
        level = max(ceiling, growth.warm_up_top or 0) + rise if growth.warm_up_top else None
        risen = ceiling + growth.warm_up_rise
        reached = risen if level is None else min(risen, level)
    held = trace.first + growth.above <= limit
    return max(reached, ceiling + growth.above) if held else reached


def unwatched_jobs(trace: Trace, growth: Growth, limit: int) -> int:
    """Return how many jobs may be done before the next reading, so that even the worst would fit in; 0 for too few."""
    if trace.jobs < WINDOW:
        return 0
    room = limit - trace.ceiling
    worst = max(1, _next_peak(trace, growth, limit) - trace.ceiling)
    jobs = min(MOST_UNWATCHED_JOBS, room // worst)
    return jobs if jobs >= UNWATCHED_JOBS else 0


def _last_part(trace: Trace, limit: int) -> bool:
    return trace.ceiling >= trace.first + LAST_PART * (limit - trace.first)


def best_jobs(trace: Trace, growth: Growth, start_s: float, job_s: float) -> float | None:
    """Return the period that makes the most of memory; None where growth is not certain."""
    if not growth.certain or growth.rate is None or growth.rate <= 0:
        return None
    return sqrt((trace.first + growth.above) * start_s / (growth.rate * job_s))


def _gives_back(trace: Trace, growth: Growth) -> bool:
    """Whether a new process would surely be smaller, by enough to be worth its start."""
    worth = max(WORTH_BYTES, growth.warm_up_rise if trace.jobs < WINDOW else growth.rise)
    if trace.jobs >= 2 * WINDOW:
        grown = trace.grown(certain=growth.certain)
    else:
        grown = trace.last - trace.first
        if growth.certain:
            grown = max(grown, int((growth.rate or 0.0) * (trace.jobs - 1)))
        elif grown < growth.swing:
            return False
    if grown < worth:
        return False
    return grown >= WORTH_SHARE * trace.first or (growth.certain and grown > 2 * worth)


def limit_for(
    trace: Trace, *, budget_bytes: int, workers: int, need_bytes: int, free_bytes: int, outgrown: bool = True
) -> int:
    """Return what one worker may take of the budget.

    Its share is the budget divided by the workers. Room for a successor is kept free, so that it can load while the
    old one works, where that takes no more than half of the room to grow; no more than a quarter, until a worker of the
    model has outgrown its limit: a cache that fits must be able to fill. A model that does not fit into a share may
    take what is free.

    Args:
        trace: The worker's.
        budget_bytes: For all workers together.
        workers: How many there may be.
        need_bytes: What is reserved for a new worker of the model.
        free_bytes: What this worker has reserved and what nobody has.
        outgrown: Whether a worker of the model has come to its limit before.
    """
    share = budget_bytes // workers
    with_successor = (budget_bytes - need_bytes) // workers
    fresh = trace.first + trace.above
    if share <= fresh:
        return max(share, free_bytes)
    kept = ROOM_KEPT if outgrown else ROOM_KEPT_AT_FIRST
    return with_successor if with_successor - fresh >= kept * (share - fresh) else share

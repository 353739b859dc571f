"""When a worker is to be replaced. Pure: facts in, reason out; who replaces it and how is decided elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.pool.core.states import ExitReason
from orchestrator.pool.recycling import Recycle


@dataclass(frozen=True, slots=True)
class Limits:
    """One worker's own limits: those of :class:`Recycle` with its share of jitter taken off."""

    jobs: int | None
    rss_bytes: int | None
    hard_rss_bytes: int | None
    age_s: float | None
    idle_s: float | None
    trim_every: int | None
    slack: float = 0.0
    """Share of the room to grow that a worker recycled automatically leaves unused: its share of jitter."""

    @property
    def only_learnt(self) -> bool:
        """Whether there is no other limit than what the pool learns of the model's growth."""
        said = (self.jobs, self.rss_bytes, self.hard_rss_bytes, self.age_s, self.idle_s, self.trim_every)
        return all(limit is None for limit in said)


NO_LIMITS = Limits(None, None, None, None, None, None)


def draw_limits(recycle: Recycle | None, share: float) -> Limits:
    """Return the limits of a new worker; ``share`` is a random number from 0 to 1, drawn by the caller.

    ``max_jobs`` of 1 stays 1, whatever the jitter: a fresh process for every job.
    """
    if recycle is None:
        return NO_LIMITS
    factor = 1 - recycle.jitter * share
    soft = recycle.max_rss_bytes
    return Limits(
        jobs=None if recycle.max_jobs is None else max(1, math.ceil(recycle.max_jobs * factor)),
        rss_bytes=None if soft is None else max(1, int(soft * factor)),
        hard_rss_bytes=recycle.hard_rss_bytes,
        age_s=None if recycle.max_age_s is None else recycle.max_age_s * factor,
        idle_s=recycle.max_idle_s,
        trim_every=recycle.trim_every,
        slack=recycle.jitter * share,
    )


def due(limits: Limits, *, jobs: int, rss_bytes: int, age_s: float) -> ExitReason | None:
    """Return why a worker that stands between two jobs is to be replaced; None while it may stay."""
    if limits.jobs is not None and jobs >= limits.jobs:
        return ExitReason.JOBS
    if limits.rss_bytes is not None and rss_bytes > limits.rss_bytes:
        return ExitReason.RSS
    if limits.age_s is not None and age_s >= limits.age_s:
        return ExitReason.AGE
    return None


def must_stop_working(reason: ExitReason) -> bool:
    """Whether a worker that is due may do no further job while its successor still loads.

    The count is a promise (``max_jobs=1`` means a fresh process for every job); RSS and age are not, and
    hard_rss stands behind them.
    """
    return reason is ExitReason.JOBS


def time_to_prepare(limits: Limits, *, jobs: int, job_s: float | None, start_s: float | None) -> bool:
    """Whether the successor should be started now, so that it is loaded when the last job is done.

    ``jobs`` counts those given so far, the one under way included; ``job_s`` and ``start_s`` are what a job and
    a start have taken so far (None: not known, then only the last job is early enough).
    """
    if limits.jobs is None:
        return False
    left = limits.jobs - jobs
    if left <= 0:
        return True
    return job_s is not None and start_s is not None and left * job_s <= start_s


def next_check_s(limits: Limits, *, age_s: float, idle_s: float) -> float | None:
    """Return in how many seconds an idle worker must be looked at again; None for never."""
    waits: list[float] = []
    if limits.age_s is not None:
        waits.append(max(0.0, limits.age_s - age_s))
    if limits.idle_s is not None:
        waits.append(max(0.0, limits.idle_s - idle_s))
    return min(waits, default=None)

"""When a worker is to be replaced. Pure: facts in, reason out; who replaces it and how is decided elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.config.sizes import parse_size
from orchestrator.pool.states import ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Recycle:
    """When a pool replaces a worker; what is absent has no limit.

    Args:
        max_jobs: Jobs a worker does. Never one more.
        max_rss: Bytes or ``"1.5GiB"``, read from outside. Replaced after the job that went past it.
        hard_rss: Bytes or text. Killed as soon as it is seen above, in the middle of a job too.
        max_age_s: Seconds a worker lives; replaced between jobs.
        max_idle_s: Seconds without work, after which a worker gives its memory back and is not replaced.
        jitter: Share (0 … 1) by which jobs, age and max_rss are lowered at random, so that workers started
            together are not replaced together. Limits are never exceeded for it.
        trim_every: Jobs after which the allocator is asked to give free memory back.

    Raises:
        ValueError: A limit that makes no sense, named.
    """

    max_jobs: int | None = None
    max_rss: int | str | None = None
    hard_rss: int | str | None = None
    max_age_s: float | None = None
    max_idle_s: float | None = None
    jitter: float = 0.1
    trim_every: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_jobs", "trim_every"):
            _check_count(name, getattr(self, name))
        for name in ("max_age_s", "max_idle_s"):
            _check_seconds(name, getattr(self, name))
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"Recycle(jitter={self.jitter!r}): a share from 0 to 1")
        soft, hard = self.max_rss_bytes, self.hard_rss_bytes
        if soft is not None and hard is not None and soft >= hard:
            raise ValueError(
                f"Recycle(max_rss={self.max_rss!r}, hard_rss={self.hard_rss!r}): max_rss, at which a worker is "
                "replaced between jobs, must be below hard_rss, at which it is killed"
            )

    @property
    def max_rss_bytes(self) -> int | None:
        """``max_rss`` as a number."""
        return _size("max_rss", self.max_rss)

    @property
    def hard_rss_bytes(self) -> int | None:
        """``hard_rss`` as a number."""
        return _size("hard_rss", self.hard_rss)


def _size(name: str, value: int | str | None) -> int | None:
    if value is None:
        return None
    try:
        return parse_size(value)
    except ValueError as error:
        raise ValueError(f"Recycle({name}={value!r}): {error}") from None


def _check_count(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"Recycle({name}={value!r}): a whole number of jobs, at least 1")


def _check_seconds(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"Recycle({name}={value!r}): a number of seconds above 0")


@dataclass(frozen=True, slots=True)
class Limits:
    """One worker's own limits: those of :class:`Recycle` with its share of jitter taken off."""

    jobs: int | None
    rss_bytes: int | None
    hard_rss_bytes: int | None
    age_s: float | None
    idle_s: float | None
    trim_every: int | None


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

"""What a pool learns of a model's memory from its own workers, and when that says to replace one. Pure.

::

    readings of each worker ──▶ Trace ─┐
    (between jobs, within jobs)        ├─▶ Learner ──▶ Growth ──▶ learned_due ──▶ stay, prepare, stop
    of earlier generations ──▶ Traces ─┘

*Budget*: a worker leaves before the job that could take it past its limit: RSS now, plus the larger of the most
that one job has ever added and of the highest peak within a job. While a successor loads, further jobs are done:
they count with the upper end of the rate.

*Cost*: while another model waits for memory, a worker that is known to grow leaves after ``sqrt(c s / (r j))`` jobs:
the period with the most jobs per second and byte (``c`` its size at the peak of a job, ``r`` its growth per job, ``s``
a start, ``j`` a job, in seconds; derived at :func:`orchestrator.analysis.planning.recycling.best_period`).

The rate is the median of the slopes between all readings of the same life, pooled over lives (P. K. Sen, 1968; R. M.
Hirsch and J. R. Slack, 1984, for the pooling), with the 95 % interval of ranks. Early readings of a life are left out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from math import ceil, inf, sqrt
from typing import NamedTuple

MOST_POINTS = 24
"""Readings kept of one life. When there are more, every other one goes, and from then on half as many are taken."""
WARM_UP_SHARE = 0.25
"""The first part of a life, left out of the rate: pools and caches fill."""
FEWEST_POINTS = 5
"""Readings after the warm-up below which nothing is said of a rate."""
PAST_LIVES = 8
WORTH_BYTES = 1 << 20
WORTH_SHARE = 0.1
"""What a new process must give back, at least, to be worth its start: bytes, or a share of its size where growth is
not certain."""
_Z = 1.96
_Z_CERTAIN = 3.29
"""99.9 %: it is looked at after every job, so that 95 % would be passed by chance sooner or later."""


class Trace:
    """The memory of one worker, job by job. Bytes. ``slack`` (0 to 1) is the share of its room it must not use."""

    __slots__ = ("_high", "_slopes", "_stride", "above", "first", "jobs", "last", "points", "rise", "slack")

    def __init__(self, slack: float = 0.0) -> None:
        self.slack = slack
        self.jobs = 0
        self.first = 0
        """After the first job: what a new process would come back to."""
        self.last = 0
        self.rise = 0
        """The most that one job has added, the first left out."""
        self.above = 0
        """The highest peak within a job above the reading before it, the first left out."""
        self.points: list[tuple[int, int]] = []
        self._high = 0
        self._stride = 1
        self._slopes: list[float] | None = None

    def saw(self, rss_bytes: int) -> None:
        """Take a reading from within a job."""
        self._high = max(self._high, rss_bytes)

    def job_ended(self, rss_bytes: int) -> bool:
        """Take the reading after a job; True when it changes what is known of the rate."""
        self.jobs += 1
        if self.jobs == 1:
            self.first = rss_bytes
        else:
            self.rise = max(self.rise, rss_bytes - self.last)
            self.above = max(self.above, self._high - self.last)
        self.stands_at(rss_bytes)
        if self.jobs % self._stride:
            return False
        self.points.append((self.jobs, rss_bytes))
        if len(self.points) > MOST_POINTS:
            self._stride *= 2
            self.points = [point for point in self.points if point[0] % self._stride == 0]
        self._slopes = None
        return True

    def stands_at(self, rss_bytes: int) -> None:
        """Take a reading between two jobs that is not the work of one, as after a heap trim."""
        self.last = self._high = rss_bytes

    @property
    def warm(self) -> list[tuple[int, int]]:
        """The readings after the warm-up."""
        warm_up = max(1, int(self.jobs * WARM_UP_SHARE))
        return [point for point in self.points if point[0] > warm_up]

    @property
    def slopes(self) -> list[float]:
        """Bytes per job between each two warm readings."""
        if self._slopes is None:
            warm = self.warm
            self._slopes = [
                (later[1] - earlier[1]) / (later[0] - earlier[0])
                for at, earlier in enumerate(warm)
                for later in warm[at + 1 :]
            ]
        return self._slopes


@dataclass(frozen=True, slots=True)
class Growth:
    """What is known of a model's growth. Bytes, per job where the name says rate; None: too few readings.

    ``rise`` is the most that one job has added, ``above`` the highest peak within a job; ``lives`` how many workers
    told something, ``base`` what the newest had after its first job; ``certain`` whether memory surely grows with jobs.
    """

    rate: float | None = None
    rate_low: float = -inf
    rate_high: float | None = None
    rise: int = 0
    above: int = 0
    readings: int = 0
    lives: int = 0
    base: int = 0
    certain: bool = False


class Learner:
    """What all workers of one model have shown; the last lives count."""

    def __init__(self, workers: int = 1) -> None:
        self._traces: deque[Trace] = deque(maxlen=PAST_LIVES + 2 * workers)
        self._growth: Growth | None = None

    def begin(self, slack: float = 0.0) -> Trace:
        """Return the trace of a new worker."""
        trace = Trace(slack)
        self._traces.append(trace)
        return trace

    def job_ended(self, trace: Trace, rss_bytes: int) -> None:
        """Take the reading after a job."""
        rise, above = trace.rise, trace.above
        if trace.job_ended(rss_bytes) or (trace.rise, trace.above) != (rise, above):
            self._growth = None

    @property
    def growth(self) -> Growth:
        """What is known now."""
        if self._growth is None:
            self._growth = _growth([trace for trace in self._traces if trace.jobs])
        return self._growth


def _growth(traces: list[Trace]) -> Growth:
    counts = [len(trace.warm) for trace in traces]
    known = Growth(
        rise=max((trace.rise for trace in traces), default=0),
        above=max((trace.above for trace in traces), default=0),
        readings=sum(counts),
        lives=len(traces),
        base=traces[-1].first if traces else 0,
    )
    slopes = sorted(slope for trace in traces for slope in trace.slopes)
    if known.readings < FEWEST_POINTS or len(slopes) < 2 * FEWEST_POINTS:
        return known
    # Kendall's variance of the pooled sign count; ties are left out, which makes the interval a little wider.
    spread = sqrt(sum(count * (count - 1) * (2 * count + 5) for count in counts) / 18)
    low, high = (len(slopes) - _Z * spread) / 2, (len(slopes) + _Z * spread) / 2
    surely = (len(slopes) - _Z_CERTAIN * spread) / 2
    middle = len(slopes) // 2
    return replace(
        known,
        rate=slopes[middle] if len(slopes) % 2 else (slopes[middle - 1] + slopes[middle]) / 2,
        rate_low=slopes[int(low)] if low >= 0 else -inf,
        rate_high=slopes[min(ceil(high), len(slopes) - 1)],
        certain=surely >= 0 and slopes[int(surely)] > 0,
    )


class Standing(NamedTuple):
    """Where a worker stands between two jobs.

    ``limit_bytes`` is what it may take, ``start_s`` and ``job_s`` what a start and a job take (None: not known),
    ``crowded`` whether another model waits for memory.
    """

    limit_bytes: int
    start_s: float | None = None
    job_s: float | None = None
    crowded: bool = False


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
    limit = standing.limit_bytes - max(0, standing.limit_bytes - trace.first) * trace.slack
    next_peak = trace.last + max(growth.rise, growth.above)
    if next_peak > limit:
        return Due(at_once=True)
    if standing.start_s is None or not standing.job_s:
        return None
    meanwhile = ceil(standing.start_s / standing.job_s)
    if next_peak + meanwhile * max(growth.rate_high or 0.0, 0.0) > limit:
        return Due(at_once=False)
    best = best_jobs(trace, growth, standing.start_s, standing.job_s)
    if standing.crowded and best is not None and trace.jobs >= best:
        return Due(at_once=True, by_cost=True)
    return None


def best_jobs(trace: Trace, growth: Growth, start_s: float, job_s: float) -> float | None:
    """Return the period that makes the most of memory; None where growth is not certain."""
    if not growth.certain or growth.rate is None or growth.rate <= 0:
        return None
    return sqrt((trace.first + growth.above) * start_s / (growth.rate * job_s))


def _gives_back(trace: Trace, growth: Growth) -> bool:
    grown = trace.last - trace.first
    if grown < max(WORTH_BYTES, growth.rise):
        return False
    return grown >= WORTH_SHARE * trace.first or (growth.certain and grown > 2 * growth.rise)


def limit_for(trace: Trace, *, budget_bytes: int, workers: int, need_bytes: int, free_bytes: int) -> int:
    """Return what one worker may take of the budget.

    Its share is the budget divided by the workers. Room for a successor is kept free, so that it can load while the
    old one works, where that takes no more than half of the room to grow. A model that does not fit into
    a share may take what is free.

    Args:
        trace: The worker's.
        budget_bytes: For all workers together.
        workers: How many there may be.
        need_bytes: What is reserved for a new worker of the model.
        free_bytes: What this worker has reserved and what nobody has.
    """
    share = budget_bytes // workers
    with_successor = (budget_bytes - need_bytes) // workers
    fresh = trace.first + trace.above
    if share <= fresh:
        return max(share, free_bytes)
    return with_successor if 2 * (with_successor - fresh) >= share - fresh else share

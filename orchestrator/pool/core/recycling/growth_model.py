"""What a pool learns of a model's memory from its own workers. Pure.

::

    readings of each worker ──▶ Trace ─┐
    (between jobs, within jobs)        ├─▶ Learner ──▶ Growth ──▶ learned ──▶ stay, prepare, stop
    of earlier generations ──▶ Traces ─┘

The rate is the median of the slopes between all readings of the same life, pooled over lives (P. K. Sen, 1968; R. M.
Hirsch and J. R. Slack, 1984, for the pooling), with the 95 % interval of ranks. Early readings of a life are left out.

Rises are measured from the *ceiling*, the highest of the last readings. For memory that only grows that is the last
reading; for memory that goes up and down it is the top of the noise, so that noise is allowed for once, not twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from math import ceil, inf, sqrt
from statistics import median

MOST_POINTS = 24
"""Readings kept of one life. When there are more, every other one goes, and from then on half as many are taken."""
WARM_UP_SHARE = 0.25
"""The first part of a life, left out of the rate: pools and caches fill."""
FEWEST_POINTS = 5
"""Readings after the warm-up below which nothing is said of a rate."""
WINDOW = 16
"""The last readings, of which the highest is the ceiling; also the first ones, which are the warm-up of its rises."""
ENOUGH_LATE_JOBS = 32
"""Jobs after the warm-up, over all lives, from which on the rises of the warm-up no longer count for later jobs."""
SLOWED_DOWN = 0.7
"""Growth has slowed down where the later half of a life grows by less than this share of the earlier half's rate."""
PAST_LIVES = 8
_Z = 1.96
_Z_CERTAIN = 3.29
"""99.9 %: it is looked at after every job, so that 95 % would be passed by chance sooner or later."""


class Trace:
    """The memory of one worker, job by job. Bytes. ``slack`` (0 to 1) is the share of its room it must not use."""

    __slots__ = (
        "_high",
        "_recent",
        "_slopes",
        "_stride",
        "above",
        "early",
        "first",
        "jobs",
        "last",
        "outgrew",
        "points",
        "rise",
        "slack",
        "swing",
        "unwatched",
        "warm_up_rise",
    )  # fmt: skip

    def __init__(self, slack: float = 0.0) -> None:
        self.slack = slack
        self.jobs = 0
        self.first = 0
        """After the first job: what a new process would come back to."""
        self.last = 0
        self.warm_up_rise = 0
        """The most that one of the first jobs has gone above the ceiling before it, the very first left out."""
        self.rise = 0
        """The same of all later jobs."""
        self.above = 0
        """The highest peak within a job above the ceiling before it, the first left out."""
        self.swing = 0
        """The most that a reading lay above or below the one before it."""
        self.outgrew = False
        """Whether it was replaced because it came to its limit."""
        self.unwatched = 0
        """Jobs that may be done before the next reading, so far from the limit it is."""
        self.points: list[tuple[int, int]] = []
        self.early: list[int] = []
        """The first readings."""
        self._recent: deque[int] = deque(maxlen=WINDOW)
        self._high = 0
        self._stride = 1
        self._slopes: list[float] | None = None

    def saw(self, rss_bytes: int) -> None:
        """Take a reading from within a job."""
        self._high = max(self._high, rss_bytes)

    def job_ended(self, rss_bytes: int, jobs: int = 1) -> bool:
        """Take the reading after a job, or after several; True when it changes what is known of the rate."""
        before = self.jobs
        self.jobs += jobs
        # The first job of a life is compared with nothing: it touches memory that the load only reserved.
        if before == 0:
            self.first = rss_bytes
        else:
            self._compare(rss_bytes)
        self.last = self._high = rss_bytes
        self._recent.append(rss_bytes)
        if len(self.early) < WINDOW:
            self.early.append(rss_bytes)
        if self.jobs // self._stride == before // self._stride:
            return False
        self.points.append((self.jobs, rss_bytes))
        if len(self.points) > MOST_POINTS:
            self._stride *= (
                2  # a life of any length in constant memory, its readings evenly spread over all of it
            )
            self.points = self.points[1::2]
        self._slopes = None
        return True

    def _compare(self, rss_bytes: int) -> None:
        ceiling = self.ceiling
        if self.jobs <= WINDOW:
            self.warm_up_rise = max(self.warm_up_rise, rss_bytes - ceiling)
        else:
            self.rise = max(self.rise, rss_bytes - ceiling)
        self.above = max(self.above, self._high - ceiling)
        self.swing = max(self.swing, abs(self.last - rss_bytes))

    def stands_at(self, rss_bytes: int) -> None:
        """Take a reading between two jobs that is not the work of one, as after a heap trim."""
        self.last = self._high = rss_bytes
        # The ceiling from before the trim is gone: kept, it would hide the rises up to it.
        self._recent.clear()
        self._recent.append(rss_bytes)

    @property
    def ceiling(self) -> int:
        """The highest of the last readings."""
        return max(self._recent, default=self.last)

    def grown(self, *, certain: bool) -> float:
        """Return how far the middle of the last readings lies above that of the first.

        Without ``certain`` it is the lower quartile of the last above the upper quartile of the first: noise alone
        does not move them apart.
        """
        last, first = sorted(self._recent), sorted(self.early)
        if certain:
            return median(last) - median(first)
        return last[len(last) // 4] - first[-1 - len(first) // 4]

    @property
    def slows_down(self) -> bool:
        """Whether it has grown less in the later half of its life after the warm-up, by more than its noise."""
        warm = self.warm
        half = len(warm) // 2
        if half < 3:  # below that the halves say nothing
            return False
        earlier, later = _middle_slope(warm[: half + 1]), _middle_slope(warm[half:])
        jobs = warm[-1][0] - warm[half][0]
        return later < SLOWED_DOWN * earlier and (earlier - later) * jobs > self.swing

    @property
    def warm(self) -> list[tuple[int, int]]:
        """The readings after the warm-up."""
        warm_up = max(1, int(self.jobs * WARM_UP_SHARE))
        return [point for point in self.points if point[0] > warm_up]

    @property
    def slopes(self) -> list[float]:
        """Bytes per job between each two warm readings."""
        if self._slopes is None:
            self._slopes = _slopes(self.warm)
        return self._slopes


def _slopes(points: list[tuple[int, int]]) -> list[float]:
    return [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for at, earlier in enumerate(points)
        for later in points[at + 1 :]
    ]


def _middle_slope(points: list[tuple[int, int]]) -> float:
    return median(_slopes(points))


@dataclass(frozen=True, slots=True)
class Growth:
    """What is known of a model's growth. Bytes, per job where the name says rate; None: too few readings.

    ``rise`` is the most that one job has gone above the readings before it, ``warm_up_rise`` the same of the first
    jobs of a life, ``warm_up_top`` the highest reading of those, of lives that had as many, ``above`` the highest peak
    within a job, ``swing`` the largest change from one reading to the next; ``lives`` how many workers told something,
    ``base`` what the newest had after its first job; ``certain`` whether memory surely grows with jobs.
    """

    rate: float | None = None
    rate_low: float = -inf
    rate_high: float | None = None
    rise: int = 0
    warm_up_rise: int = 0
    warm_up_top: int | None = None
    above: int = 0
    swing: int = 0
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

    def job_ended(self, trace: Trace, rss_bytes: int, jobs: int = 1) -> None:
        """Take the reading after a job, or after several."""
        known = (trace.rise, trace.warm_up_rise, trace.above, trace.swing)
        if trace.job_ended(rss_bytes, jobs) or (
            known != (trace.rise, trace.warm_up_rise, trace.above, trace.swing)
        ):
            self._growth = None

    @property
    def outgrown(self) -> bool:
        """Whether a worker of the model has come to its limit: what grows here does not stop in time."""
        return any(trace.outgrew for trace in self._traces)

    @property
    def growth(self) -> Growth:
        """What is known now."""
        if self._growth is None:
            self._growth = _growth([trace for trace in self._traces if trace.jobs])
        return self._growth


def _growth(traces: list[Trace]) -> Growth:
    counts = [len(trace.warm) for trace in traces]
    # The most ever seen, not a quantile: one job above the limit is one too many.
    late = max((trace.rise for trace in traces), default=0)
    early = max(late, max((trace.warm_up_rise for trace in traces), default=0))
    enough = sum(max(0, trace.jobs - WINDOW) for trace in traces) >= ENOUGH_LATE_JOBS
    known = Growth(
        rise=late if enough else early,
        warm_up_rise=early,
        warm_up_top=max((max(trace.early) for trace in traces if trace.jobs >= WINDOW), default=None),
        swing=max((trace.swing for trace in traces), default=0),
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
        # Ranks beyond the ends exist in short records only: below, nothing is known; above, the largest slope is.
        rate_high=slopes[min(ceil(high), len(slopes) - 1)],
        certain=surely >= 0 and slopes[int(surely)] > 0,
    )

"""What an experiment can do that a series cannot: change one thing, run again, and see what the growth does.

Three levers, each numbers in, a frozen result with its conclusion out; the sentences are :mod:`.lever_words`':

================  ===========================================  ======================================
lever             held against                                 what it tells
================  ===========================================  ======================================
variant           the same method without the setting          how much of the growth was retention,
                                                               and what the setting costs
load              ``recreate`` against a kept model            growth per load and growth per job
trim              memory before and after one heap trim        how much was free, but held
================  ===========================================  ======================================

What a setting of the allocator takes away was memory that the program had freed already. So the growth that
is left should be that of the live heap; where it is, nothing is unexplained.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite
from typing import Literal

import msgspec
import numpy as np

from orchestrator.analysis.judging.difference import Difference, mean_difference, rate_difference
from orchestrator.analysis.planning.net_change import Interval

Effect = Literal["all", "live-leak", "part", "nothing", "little", "worse", "no-growth", "open"]
"""What a variant shows: it takes away all growth; all but what the live heap grows by; a part; nothing; hardly
anything; it makes it worse; there was no growth to take away; the noise hides what it does."""

SplitPart = Literal["grows", "nothing", "shrinks", "open"]
"""``nothing``: the interval ends below the tolerance; ``open``: it does not, but growth is not shown either."""

_LITTLE = 0.1
_HALF = 0.5
_STRETCHES = 4
_BUSIER = (
    1.5  # times the load average, and one process more: whoever waits for a core is slower for that alone
)


class Change(msgspec.Struct, frozen=True):
    """A number before and after, and the second less the first with its 95 % interval; None: without bound."""

    before: float
    after: float
    difference: float
    low: float | None = None
    high: float | None = None


class Ratio(msgspec.Struct, frozen=True):
    """After over before, with its 95 % interval; None: too few readings for one."""

    ratio: float
    low: float | None = None
    high: float | None = None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one series.

    Attributes:
        rss: Growth of RSS.
        heap: Growth of the live heap; None when its channel is off.
        times_s: Seconds of load and infer, one per iteration.
        peak_mb: Highest memory of any iteration.
        tolerance: Growth per iteration above which it counts.
        machine_load: Mean load average of the machine meanwhile.
    """

    rss: Interval
    heap: Interval | None = None
    times_s: Sequence[float] = ()
    peak_mb: float | None = None
    tolerance: float = 0.1
    machine_load: float | None = None


class VariantEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant does to a method.

    Attributes:
        effect: The conclusion in one word.
        rss: Growth of RSS without and with it, MB per iteration.
        heap: Growth of the live heap; None when either side has no heap channel.
        live_heap: Growth of the live heap as it is known: with the variant, else without it.
        retention: The part of the growth that it takes away, MB per iteration; None where none is shown.
        unexplained: What is left beyond the live heap, MB per iteration; None where the heap is not known.
        time: Seconds per iteration (load and infer), with over without.
        peak: Highest memory in MB.
        busy: Load average of the machine without and with it, where they differ so much that the time proves
            nothing; else None.
    """

    effect: Effect
    rss: Change
    heap: Change | None = None
    live_heap: float | None = None
    retention: float | None = None
    unexplained: float | None = None
    time: Ratio | None = None
    peak: Change | None = None
    busy: tuple[float, float] | None = None


class LoadSplit(msgspec.Struct, frozen=True, kw_only=True):
    """Growth of ``recreate`` taken apart by a method that keeps its model.

    Attributes:
        channel: ``live`` (live heap) or ``rss``.
        per_iteration: Growth of ``recreate``, MB per iteration: loads and jobs.
        per_job: Growth with a kept model: jobs alone.
        per_load: The first less the second: loading and unloading.
        job: Whether jobs grow.
        load: Whether loading grows.
    """

    channel: Literal["live", "rss"]
    per_iteration: Interval
    per_job: Interval
    per_load: Interval
    job: SplitPart
    load: SplitPart


class TrimEffect(msgspec.Struct, frozen=True):
    """What the one heap trim after the last reading gave back, and what memory had grown by; MB.

    ``leak_mb`` is the rate per iteration of what a trim cannot give back (the live heap, memory outside malloc), where
    the verdict is a leak. A trim gives back what the allocator kept, so it says nothing against that leak.
    """

    released_mb: float
    growth_mb: float
    leak_mb: float | None = None

    @property
    def share(self) -> float | None:
        """The part of the growth that came back, at most 1; None where nothing had grown."""
        return min(max(self.released_mb, 0.0) / self.growth_mb, 1.0) if self.growth_mb > 0 else None


def variant_effect(plain: Side, variant: Side) -> VariantEffect:
    """Return what the variant does to the growth of ``plain``, and what it costs."""
    rss = _difference(plain.rss, variant.rss)
    known = variant.heap or plain.heap
    live = None if known is None else known.rate
    effect = _effect(plain, variant, rss, live)
    fell = effect in {"all", "live-leak", "part"}
    return VariantEffect(
        effect=effect,
        rss=_change(plain.rss.rate, variant.rss.rate, rss),
        heap=_heap_change(plain, variant),
        live_heap=live,
        retention=-rss.value if fell else None,
        unexplained=variant.rss.rate - max(live, 0.0) if fell and live is not None else None,
        time=time_ratio(plain.times_s, variant.times_s),
        peak=_peak_change(plain, variant),
        busy=_busy(plain.machine_load, variant.machine_load),
    )


def _effect(plain: Side, variant: Side, rss: Difference, live: float | None) -> Effect:
    tolerance, before, after = plain.tolerance, plain.rss, variant.rss
    # Worse first: where the plain method does not grow, a variant that makes it grow must not read "no growth".
    if rss.low > 0 and rss.value > tolerance and after.rate > tolerance:
        return "worse"
    if before.low <= 0 or before.rate <= tolerance:
        # Without growth there is nothing to take away. An interval that reaches beyond twice the tolerance does not
        # say that there is none; up to there it is as narrow as records of this length allow.
        return "no-growth" if before.high <= 2 * tolerance else "open"
    little = max(tolerance, _LITTLE * before.rate)
    if not rss.resolved:
        # No difference is shown. That is a finding only if the interval excludes a large one, half of the growth.
        return "nothing" if rss.low > -max(little, _HALF * before.rate) else "open"
    if abs(rss.value) <= little:
        return "little"
    # The rate itself, not its interval: that the difference is real was shown above, and the interval of a series at
    # rest after a change of its environment is often wider than the tolerance.
    if abs(after.rate) <= tolerance:
        return "all"
    # An allocator's setting cannot take away what the program never freed. If just that is left, the rest was
    # retention.
    if live is not None and live > 0 and _as_much(after, live, tolerance):
        return "live-leak"
    return "part"


def _as_much(rate: Interval, live: float, tolerance: float) -> bool:
    return rate.low <= live <= rate.high or abs(rate.rate - live) <= tolerance


def time_ratio(before: Sequence[float], after: Sequence[float]) -> Ratio | None:
    """Return how many times as long an iteration takes; None where a side has no time.

    Each side is cut into four stretches, and the medians of their logarithms are compared (Welch): a slow
    iteration now and then moves no median, and a machine that was busier for a while makes the interval wide,
    as it should. One that was busier during the whole of one series cannot be told from a slower setting.
    Below eight readings a side there is no interval.
    """
    first, second = (np.log([value for value in side if value > 0]) for side in (before, after))
    if not first.size or not second.size:
        return None
    if min(first.size, second.size) < 2 * _STRETCHES:
        return Ratio(exp(float(np.median(second)) - float(np.median(first))))
    # Logarithms, because a slower machine multiplies times; their difference is the logarithm of the ratio.
    levels = [
        [float(np.median(part)) for part in np.array_split(side, _STRETCHES)] for side in (first, second)
    ]
    found = mean_difference(levels[0], levels[1])
    return Ratio(exp(found.value), exp(found.low), exp(found.high))


def split_growth(
    recreate: Interval, kept: Interval, *, channel: Literal["live", "rss"], tolerance: float
) -> LoadSplit:
    """Return growth per load and per job.

    Args:
        recreate: Growth of ``recreate``, MB per iteration.
        kept: Growth of ``restart`` or ``reuse``, read in the same channel.
        channel: What both are readings of.
        tolerance: Growth per iteration above which it counts in this channel.
    """
    load = _difference(kept, recreate)
    per_load = Interval(load.low, load.value, load.high)
    return LoadSplit(
        channel=channel,
        per_iteration=recreate,
        per_job=kept,
        per_load=per_load,
        job=_part(kept, tolerance),
        load=_part(per_load, tolerance),
    )


def _part(rate: Interval, tolerance: float) -> SplitPart:
    if rate.low > 0 and rate.rate > tolerance:
        return "grows"
    if rate.high < 0 and rate.rate < -tolerance:
        return "shrinks"
    return "nothing" if rate.high <= tolerance else "open"


def _difference(first: Interval, second: Interval) -> Difference:
    return rate_difference((first.low, first.rate, first.high), (second.low, second.rate, second.high))


def _change(before: float, after: float, difference: Difference) -> Change:
    return Change(before, after, difference.value, _finite(difference.low), _finite(difference.high))


def _busy(before: float | None, after: float | None) -> tuple[float, float] | None:
    if before is None or after is None:
        return None
    less, more = sorted((before, after))
    return (before, after) if more > _BUSIER * less and more - less > 1.0 else None


def _heap_change(plain: Side, variant: Side) -> Change | None:
    if plain.heap is None or variant.heap is None:
        return None
    return _change(plain.heap.rate, variant.heap.rate, _difference(plain.heap, variant.heap))


def _peak_change(plain: Side, variant: Side) -> Change | None:
    if plain.peak_mb is None or variant.peak_mb is None:
        return None
    return Change(plain.peak_mb, variant.peak_mb, variant.peak_mb - plain.peak_mb)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None

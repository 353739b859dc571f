"""Judge all channels of one series together.

    rss, rss_anon, shmem, swap  -- outside -->  leak series = rss_anon + shmem + swap, else rss + swap
    live, held                  -- inside  -->  live;  nonmalloc = leak series - live - held

A leak is memory that is not given back: live heap that grows, or memory outside malloc that grows.
Growth of the leak series alone, with both of them at rest, is memory the allocator holds free: not a leak, but
never called clean while it goes on either. The live heap alone never clears a series.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from orchestrator.analysis.judging.channel import judge_channel
from orchestrator.analysis.judging.composition import Composition, compose
from orchestrator.analysis.judging.decision import CHECKED_CLEAN_BELOW, ChannelVerdict, VerdictName
from orchestrator.analysis.judging.evidence import SHORT_RECORD
from orchestrator.analysis.judging.memory_series import MemorySeries
from orchestrator.analysis.judging.pace import EACH_ITERATION, Pace
from orchestrator.analysis.judging.spacing import evenly_spaced
from orchestrator.analysis.judging.tolerance import (
    LIVE_FLOOR_MB,
    NONMALLOC_FLOOR_MB,
    RSS_FLOOR_MB,
    hourly_tolerance_mb,
    live_tolerance_mb,
    tolerance_mb,
)
from orchestrator.analysis.series import FloatArray
from orchestrator.notebook.verdict_views import ShownVerdict

_SECONDS_PER_HOUR = 3600.0
_STILL_GROWING = 0.75
"""Above this probability of growth of the leak series, a heap at rest does not make a series clean."""

_CLEARLY_GROWING = 0.8
_STEPS = ("step", "steps")
_INPUTS = "without the heap channel, inputs that become larger from job to job look the same"
HELD_PROBE = "a heap trim at the end (malloc_trim), or a run with MALLOC_TRIM_THRESHOLD_=131072"
"""What would settle growth of memory that the allocator holds free. A run that did so already knows better."""


@dataclass(frozen=True, slots=True)
class Verdict(ShownVerdict):
    """What all channels of one series say.

    Rates are MB per iteration after the warm-up; ``ci_low`` and ``ci_high`` bound the 95 % interval.

    Attributes:
        verdict: ``leak``, ``plateau``, ``flat``, ``bounded``, ``slow-growth`` or ``inconclusive``.
        rate_mb_per_iteration: Growth of the channel that decided.
        ci_low: Lower end of its interval.
        ci_high: Upper end of its interval.
        rate_channel: The channel that decided: ``rss``, ``rss_anon``, ``live``, ``nonmalloc`` or ``file``.
        rss_rate_mb_per_iteration: Growth of RSS.
        rss_ci_low: Lower end of its interval.
        rss_ci_high: Upper end of its interval.
        heap_rate_mb_per_iteration: Growth of the live heap, None without a heap channel.
        heap_ci_low: Lower end of its interval, None without a heap channel.
        heap_ci_high: Upper end of its interval, None without a heap channel.
        warm_up: Iterations at the start that were left out, by the channel that decided.
        tolerance: Growth per iteration of the process above which it counts as a leak, MB.
        reasons: Why, in plain words.
        composition: What the growth is made of.
        settle: What would settle an inconclusive verdict; empty otherwise.
        channels: What every channel says by itself, by name.
        readings_per_hour: For a series with a clock: a rate per iteration times this is the rate per hour.
    """

    verdict: VerdictName
    rate_mb_per_iteration: float
    ci_low: float
    ci_high: float
    rate_channel: str
    rss_rate_mb_per_iteration: float
    rss_ci_low: float
    rss_ci_high: float
    heap_rate_mb_per_iteration: float | None
    heap_ci_low: float | None
    heap_ci_high: float | None
    warm_up: int
    tolerance: float
    reasons: tuple[str, ...]
    composition: Composition
    settle: tuple[str, ...]
    channels: tuple[tuple[str, ChannelVerdict], ...]
    readings_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    verdict: VerdictName
    channel: str
    reasons: tuple[str, ...] = ()
    settle: tuple[str, ...] = ()


def judge(series: MemorySeries, *, tolerance: float | None = None) -> Verdict:
    """Judge the memory series of one process.

    A series with a clock is judged by the hour, whatever its sampling period; one whose iterations are numbered by the
    number. Rates are told per iteration all the same, a reading counting as one where there is no number.

    Args:
        series: The readings, see ``MemorySeries.of``.
        tolerance: Accepted growth, MB per iteration, by default 0.1 or 0.01 % of the median RSS; for a series with a
            clock MB per hour, by default 0.1 or 0.1 %.

    Raises:
        ValueError: The tolerance is not above zero.
    """
    even, pace = _paced(series)
    by_hour = pace.per == "hour"
    usual = hourly_tolerance_mb if by_hour else tolerance_mb
    accepted = usual(series.rss) if tolerance is None else tolerance
    channels, notes = _judge_channels(even, accepted, pace)
    choice = _choose(channels)
    hours = _mean_hours(series) if by_hour else 1.0
    told = {name: channel.rescaled(hours) for name, channel in channels.items()} if by_hour else channels
    found = _verdict(even, told, choice, accepted * hours, notes, hours / pace.step)
    return replace(found, readings_per_hour=1.0 / hours) if by_hour else found


def _paced(series: MemorySeries) -> tuple[MemorySeries, Pace]:
    """Return the series at even distances, and how far apart its readings are."""
    if series.elapsed_s is not None and len(series) > 1:
        even, step = evenly_spaced(series, series.elapsed_s / _SECONDS_PER_HOUR)
        return even, Pace(step, "hour")
    if series.positions is not None and len(series) > 1:
        even, step = evenly_spaced(series, series.positions)
        return even, Pace(step, iteration_s=series.iteration_s)
    return series, Pace(iteration_s=series.iteration_s)


def pace_of(series: MemorySeries) -> Pace:
    """Return how far apart the readings of a series are on average: in hours where it has a clock."""
    if len(series) < 2:
        return EACH_ITERATION
    if series.elapsed_s is not None:
        return Pace(_mean_hours(series), "hour")
    if series.positions is not None:
        step = float(series.positions[-1] - series.positions[0]) / (len(series) - 1)
        return Pace(step, iteration_s=series.iteration_s)
    return Pace(iteration_s=series.iteration_s)


def _mean_hours(series: MemorySeries) -> float:
    """Return the mean time between two readings of a series with a clock."""
    assert series.elapsed_s is not None, "only asked where there is a clock"
    return float(series.elapsed_s[-1] - series.elapsed_s[0]) / _SECONDS_PER_HOUR / (len(series) - 1)


def _judge_channels(
    series: MemorySeries, tolerance: float, pace: Pace
) -> tuple[dict[str, ChannelVerdict], list[str]]:
    """Judge each channel that is there and can be believed; return them and notes on those that cannot."""
    notes: list[str] = []
    channels = {"rss": judge_channel(series.rss, tolerance, noise_floor=RSS_FLOOR_MB, name="rss", pace=pace)}
    if series.rss_anon is not None or series.swap is not None:
        apart = series.rss - series.leak_series
        channels["rss_anon"] = (
            channels["rss"]  # they differ by a constant, so they say the same
            if apart.size and float(np.ptp(apart)) < RSS_FLOOR_MB / 2
            else judge_channel(
                series.leak_series, tolerance, noise_floor=RSS_FLOOR_MB, name="rss_anon", pace=pace
            )
        )
    if series.heap_off:
        notes.append(f"heap channel off: {series.heap_off}")
    if series.live is None:
        return channels, notes
    channels["live"] = judge_channel(
        series.live,
        live_tolerance_mb(tolerance, pace.per),
        noise_floor=LIVE_FLOOR_MB,
        name="live",
        clean_below=CHECKED_CLEAN_BELOW,
        clean_within=tolerance,
        pace=pace,
    )
    nonmalloc = series.nonmalloc
    if nonmalloc is None:
        notes.append("without held bytes and RssAnon the live heap can show a leak, but not exclude one")
    elif nonmalloc.size and float(nonmalloc.min()) < 0:
        notes.append("live and held bytes exceed anonymous memory, so what is outside malloc is not known")
    else:
        channels["nonmalloc"] = judge_channel(
            nonmalloc,
            tolerance,
            noise_floor=NONMALLOC_FLOOR_MB,
            name="nonmalloc",
            clean_below=CHECKED_CLEAN_BELOW,
            pace=pace,
        )
    return channels, notes


def _choose(channels: dict[str, ChannelVerdict]) -> _Choice:
    """Decide which channel gives the verdict of the whole."""
    leak_series_name = "rss_anon" if "rss_anon" in channels else "rss"
    inside = [name for name in ("live", "nonmalloc") if name in channels]
    leaking = [name for name in inside if channels[name].verdict == "leak"]
    if leaking:
        # A leak inside outweighs an RSS at rest: it may still be filling memory that the allocator held before.
        name = max(leaking, key=lambda n: channels[n].slope.rate)
        where = "the live heap" if name == "live" else "memory outside malloc"
        return _Choice("leak", name, (f"{where} grows and is not given back",))
    # Inside before outside: RSS shows what the allocator keeps as well, so it can neither prove nor exclude a leak
    # while the channels inside are in doubt.
    for verdict in ("slow-growth", "inconclusive"):
        for name in inside:
            if channels[name].verdict == verdict:
                return _Choice(channels[name].verdict, name)
    if len(inside) == 2:
        return _heap_at_rest(channels, leak_series_name)
    if inside and not channels[leak_series_name].clean:
        return _live_at_rest(channels, leak_series_name)
    return _file_pages(channels, leak_series_name)


def _heap_at_rest(channels: dict[str, ChannelVerdict], leak_series_name: str) -> _Choice:
    """Decide when neither live heap nor memory outside malloc grows."""
    leak_series = channels[leak_series_name]
    if leak_series.clean:
        return _file_pages(channels, leak_series_name)
    inside = f"live heap and memory outside malloc {_rest(channels, 'live', 'nonmalloc')}"
    held = f"{inside}: what grows is memory the allocator holds free"
    # An allocator takes memory in blocks, so steps of the leak series are what it does at rest, too: they must be
    # clearer than a line before they are doubted.
    limit = _CLEARLY_GROWING if leak_series.shape in _STEPS else _STILL_GROWING
    if leak_series.verdict == "slow-growth":
        return _Choice("slow-growth", leak_series_name, (held,), (HELD_PROBE,))
    if leak_series.verdict == "leak" or leak_series.growing > limit:
        return _Choice("inconclusive", leak_series_name, (held,), (HELD_PROBE,))
    if channels["rss"].verdict in ("leak", "slow-growth") or channels["rss"].growing > limit:
        return _Choice("slow-growth", "rss", (_files(channels, leak_series_name),))
    # The channel whose interval reaches highest speaks: what it excludes, the other excludes as well.
    speaker = max(("live", "nonmalloc"), key=lambda name: channels[name].slope.high)
    rest = f"{inside}; what RSS still does is noise or retention"
    if channels[speaker].slope.low > 0:
        return _Choice("flat", speaker, (rest,))
    return _Choice("plateau" if leak_series.shape in _STEPS else "bounded", speaker, (rest,))


def _rest(channels: dict[str, ChannelVerdict], *names: str) -> str:
    """Return that these channels rest, or, where one is seen to grow a little, that they hardly grow."""
    if any(channels[name].slope.low > 0 for name in names):
        return "hardly grow" if len(names) > 1 else "hardly grows"
    return "are at rest" if len(names) > 1 else "is at rest"


def _files(channels: dict[str, ChannelVerdict], leak_series_name: str) -> str:
    """Return that what grows are pages of files."""
    leak_series = channels[leak_series_name]
    rest = (
        "are at rest"
        if leak_series.slope.low <= 0
        else "hardly grow"
        if leak_series.clean
        else "may grow a little"
    )
    return (
        f"anonymous and shared memory {rest}: what grows are pages of mapped files, which end with the files"
    )


def _live_at_rest(channels: dict[str, ChannelVerdict], leak_series_name: str) -> _Choice:
    """Decide when the live heap is at rest, but what else grows is not known."""
    leak_series = channels[leak_series_name]
    reason = f"the live heap {_rest(channels, 'live')}, but the process grows or may grow"
    verdict: VerdictName = "slow-growth" if leak_series.verdict == "slow-growth" else "inconclusive"
    return _Choice(
        verdict,
        leak_series_name,
        (reason,),
        ("the allocator's free bytes (mallinfo2), to tell held memory from leaks",),
    )


def _file_pages(channels: dict[str, ChannelVerdict], leak_series_name: str) -> _Choice:
    """Let the leak series decide, unless it is clean while the file pages in RSS still grow."""
    leak_series, rss = channels[leak_series_name], channels["rss"]
    if leak_series.clean and rss.verdict in ("leak", "slow-growth"):
        return _Choice("slow-growth", "rss", (_files(channels, leak_series_name),))
    return _Choice(leak_series.verdict, leak_series_name)


def _verdict(
    series: MemorySeries,
    channels: dict[str, ChannelVerdict],
    choice: _Choice,
    tolerance: float,
    notes: list[str],
    per_step: float,
) -> Verdict:
    decided, rss, heap = channels[choice.channel], channels["rss"], channels.get("live")
    settle = choice.settle or decided.settle
    if choice.verdict == "inconclusive" and heap is None:
        settle = (*settle, "a run with the heap channel on")
    if choice.verdict not in ("inconclusive", "slow-growth"):
        settle = ()
    if choice.verdict == "leak" and heap is None and len(series) <= SHORT_RECORD:
        notes = [*notes, _INPUTS]
    slope = decided.slope
    return Verdict(
        verdict=choice.verdict,
        rate_mb_per_iteration=slope.rate,
        ci_low=slope.low,
        ci_high=slope.high,
        rate_channel=choice.channel,
        rss_rate_mb_per_iteration=rss.slope.rate,
        rss_ci_low=rss.slope.low,
        rss_ci_high=rss.slope.high,
        heap_rate_mb_per_iteration=heap.slope.rate if heap else None,
        heap_ci_low=heap.slope.low if heap else None,
        heap_ci_high=heap.slope.high if heap else None,
        warm_up=decided.warm_up,
        tolerance=tolerance,
        reasons=(*choice.reasons, *decided.reasons, *notes),
        composition=_composition(series, decided.warm_up, per_step),
        settle=settle,
        channels=tuple(channels.items()),
    )


def _composition(series: MemorySeries, warm_up: int, per_step: float) -> Composition:
    """Return the growth of the parts; ``per_step`` makes growth from reading to reading growth per iteration."""
    nonmalloc = series.nonmalloc
    # Below zero, held chunks are not resident (untouched or given back by page): then the difference means nothing.
    believed = nonmalloc is not None and bool(np.all(nonmalloc >= 0))
    return compose(
        {
            "live_heap": series.live,
            "held_free": series.held,
            "outside_malloc": _private(nonmalloc, series.shmem) if believed else None,
            "shared_memory": series.shmem,
            "file_pages": series.file,
            "swap": series.swap,
        },
        warm_up,
        per_step,
    )


def _private(nonmalloc: FloatArray | None, shared: FloatArray | None) -> FloatArray | None:
    return nonmalloc if nonmalloc is None or shared is None else nonmalloc - shared

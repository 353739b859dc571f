"""What is said of any series, in a form that files keep and every report shows: rates, reasons, parts, counts.

A :class:`~orchestrator.analysis.judging.verdict.Verdict` speaks about arrays; what is here can be written as
JSON: what is not known, or not finite, is None. Which series it is said of is added by those who know: a run by
:class:`~orchestrator.analysis.judging.judgement.Judgement`, a file by ``Finding``.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

import msgspec

from orchestrator.analysis.judging.composition import Composition
from orchestrator.analysis.judging.counts import judge_count
from orchestrator.analysis.judging.decision import ChannelVerdict
from orchestrator.analysis.judging.pace import EACH_ITERATION, Pace
from orchestrator.analysis.judging.verdict import Verdict
from orchestrator.analysis.series import SeriesLike, as_series
from orchestrator.notebook.verdict_views import ShownVerdict

JudgedAs = Literal[
    "leak", "plateau", "flat", "bounded", "slow-growth", "inconclusive", "crashed", "unavailable"
]
"""The words of a judgement: those of the analysis, and two for a series that did not come to its end."""


class Growth(msgspec.Struct, frozen=True):
    """What the growth is made of: MB per iteration by part; None where a channel is missing."""

    live_heap: float | None = None
    held_free: float | None = None
    outside_malloc: float | None = None
    file_pages: float | None = None
    swap: float | None = None
    shared_memory: float | None = None


class CountJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a series of counts says: open descriptors, or threads. Rates are per iteration, intervals 95 %.

    ``first`` and ``last`` are the counts of the first and the last iteration; ``tolerance`` is the growth per
    iteration above which it counts as a leak.
    """

    verdict: str
    first: int
    last: int
    rate_per_iteration: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    warm_up: int = 0
    tolerance: float | None = None
    reasons: list[str] = []
    settle: list[str] = []


class BeyondBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """One channel's growth beyond that of fresh processes, MB per iteration, each with its 95 % interval.

    ``fresh_…`` is what fresh processes grow by, ``beyond_…`` what is left of the method's own growth.
    """

    fresh_mb_per_iteration: float | None = None
    fresh_ci_low: float | None = None
    fresh_ci_high: float | None = None
    beyond_mb_per_iteration: float | None = None
    beyond_ci_low: float | None = None
    beyond_ci_high: float | None = None


class LevelAboveFresh(msgspec.Struct, frozen=True, kw_only=True):
    """How far the last reading stands above fresh processes, RSS in MB.

    Attributes:
        iteration: The iteration of that reading.
        life: Iterations that the fresh processes had done when they were read: as many, or their whole life.
        rss_mb: The reading.
        fresh_rss_mb: Mean of the fresh processes.
        above_mb: The difference.
        ci_low: Lower end of the difference's interval, which tells how well the mean is known.
        ci_high: Its upper end; both None with a single fresh process.
    """

    iteration: int
    life: int
    rss_mb: float
    fresh_rss_mb: float
    above_mb: float
    ci_low: float | None = None
    ci_high: float | None = None


class AgainstBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """An in-process method held against fresh processes, both read at the method's own boundary.

    Attributes:
        series: Key of the baseline, such as ``recycle``.
        boundary: Where both were read.
        iterations: How many readings of the baseline there are.
        rate_channel: The channel that decided the method's verdict, where the baseline has it too, else ``rss``.
        channels: By name, every channel that both have; ``rss`` among them.
        level: How far the method stands above a fresh process at its end; None without such a reading.
    """

    series: str
    boundary: str
    iterations: int
    rate_channel: str
    channels: dict[str, BeyondBaseline]
    level: LevelAboveFresh | None = None


class ChannelJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """What one channel says by itself; rates in MB per iteration, None where they are not finite."""

    verdict: str
    rate_mb_per_iteration: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    warm_up: int = 0
    tolerance: float | None = None
    reasons: list[str] = []


class Judged(msgspec.Struct, ShownVerdict, frozen=True, kw_only=True):
    """What is said of one series. Rates are MB (1024² bytes) per iteration; intervals are 95 %.

    Attributes:
        verdict: The judgement in one word.
        iterations: How many readings were judged; a series that crashed has rates of those before.
        rate_mb_per_iteration: Growth of the channel that decided, after the warm-up.
        rate_mb_per_hour: The same by the clock, for a series that has one.
        tolerance_mb_per_hour: The tolerance by the clock: with one, that is what the series was judged by.
        ci_low: Lower end of the interval of the rate per iteration.
        ci_high: Upper end of its interval.
        rate_channel: The channel that decided: ``rss``, ``rss_anon``, ``live``, ``nonmalloc`` or ``file``.
        rss_rate_mb_per_iteration: Growth of RSS.
        rss_ci_low: Lower end of its interval.
        rss_ci_high: Upper end of its interval.
        heap_rate_mb_per_iteration: Growth of the live heap; None without a heap channel.
        heap_ci_low: Lower end of its interval.
        heap_ci_high: Upper end of its interval.
        warm_up: Iterations at the start that were left out.
        tolerance: Growth per iteration above which it counts as a leak; None when nothing could be judged.
        reasons: Why, in plain words, the weightiest first.
        settle: What would settle it; empty when it is settled.
        composition: What the growth is made of.
        descriptors: Open descriptors, judged by themselves; None where they were not counted.
        threads: Threads, the same.
        against_baseline: Held against fresh processes; None for the baseline itself, and where there is none.
        heap_off: Why there is no heap channel; None when there is one, or nothing is known.
        channels: What every channel says by itself, by name; ``verdict`` is made of them.
    """

    verdict: JudgedAs
    iterations: int = 0
    rate_mb_per_iteration: float | None = None
    rate_mb_per_hour: float | None = None
    tolerance_mb_per_hour: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    rate_channel: str | None = None
    rss_rate_mb_per_iteration: float | None = None
    rss_ci_low: float | None = None
    rss_ci_high: float | None = None
    heap_rate_mb_per_iteration: float | None = None
    heap_ci_low: float | None = None
    heap_ci_high: float | None = None
    warm_up: int = 0
    tolerance: float | None = None
    reasons: list[str] = []
    settle: list[str] = []
    composition: Growth = Growth()
    descriptors: CountJudgement | None = None
    threads: CountJudgement | None = None
    against_baseline: AgainstBaseline | None = None
    heap_off: str | None = None
    channels: dict[str, ChannelJudgement] = {}


def rates_of(verdict: Verdict) -> dict[str, Any]:
    """Return the fields of :class:`Judged` that a verdict fills by itself: rates, warm-up, parts, channels."""
    hours = verdict.readings_per_hour
    return {
        "rate_mb_per_iteration": finite(verdict.rate_mb_per_iteration),
        "rate_mb_per_hour": finite(hours and verdict.rate_mb_per_iteration * hours),
        "tolerance_mb_per_hour": finite(hours and verdict.tolerance * hours),
        "ci_low": finite(verdict.ci_low),
        "ci_high": finite(verdict.ci_high),
        "rate_channel": verdict.rate_channel,
        "rss_rate_mb_per_iteration": finite(verdict.rss_rate_mb_per_iteration),
        "rss_ci_low": finite(verdict.rss_ci_low),
        "rss_ci_high": finite(verdict.rss_ci_high),
        "heap_rate_mb_per_iteration": finite(verdict.heap_rate_mb_per_iteration),
        "heap_ci_low": finite(verdict.heap_ci_low),
        "heap_ci_high": finite(verdict.heap_ci_high),
        "warm_up": verdict.warm_up,
        "tolerance": finite(verdict.tolerance),
        "composition": _growth(verdict.composition),
        "channels": {name: _channel(channel) for name, channel in verdict.channels},
    }


def _channel(channel: ChannelVerdict) -> ChannelJudgement:
    return ChannelJudgement(
        verdict=channel.verdict,
        rate_mb_per_iteration=finite(channel.slope.rate),
        ci_low=finite(channel.slope.low),
        ci_high=finite(channel.slope.high),
        warm_up=channel.warm_up,
        tolerance=finite(channel.tolerance),
        reasons=list(channel.reasons),
    )


def count_judgement(
    counts: SeriesLike | None, name: str, *, tolerance: float | None = None, pace: Pace = EACH_ITERATION
) -> CountJudgement | None:
    """Judge a series of counts called ``name``; None where there is none or it is empty.

    ``tolerance`` is the accepted growth per iteration, or per hour by the ``pace``, see :func:`.counts.judge_count`.
    Rates are per reading all the same.

    Raises:
        ValueError: A count is not finite, negative or not whole.
    """
    if counts is None:
        return None
    series = as_series(counts, name)
    if not series.size:
        return None
    found = judge_count(series, name, tolerance=tolerance, pace=pace)
    if pace.per == "hour":
        found = found.rescaled(pace.step)
    return CountJudgement(
        verdict=found.verdict,
        first=int(series[0]),
        last=int(series[-1]),
        rate_per_iteration=finite(found.slope.rate),
        ci_low=finite(found.slope.low),
        ci_high=finite(found.slope.high),
        warm_up=found.warm_up,
        tolerance=found.tolerance,
        reasons=list(found.reasons),
        settle=list(found.settle),
    )


def finite(value: float | None) -> float | None:
    """Return a plain float, or None for what is not known, not a number or without bound."""
    return float(value) if value is not None and isfinite(value) else None


def _growth(composition: Composition) -> Growth:
    return Growth(
        live_heap=finite(composition.live_heap),
        held_free=finite(composition.held_free),
        outside_malloc=finite(composition.outside_malloc),
        file_pages=finite(composition.file_pages),
        swap=finite(composition.swap),
        shared_memory=finite(composition.shared_memory),
    )

"""What is said of one series in a file: the object a line of ``analyze --json``."""

from __future__ import annotations

from math import isfinite
from typing import Literal

import msgspec

from orchestrator.analysis import Composition, MemorySeries, Verdict, judge
from orchestrator.analysis.judgement import Growth, JudgedAs
from orchestrator.series_files.measured import MeasuredSeries

Channels = Literal["rss", "rss,heap"]
"""``rss``: RSS alone, whatever else the file has. ``rss,heap``: every channel there is."""

_ZERO_HEAP = "the allocator's numbers are all zero, as with jemalloc or mimalloc in its place"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one series, ready for JSON. Rates are MB (1024² bytes) per iteration, intervals 95 %.

    Attributes:
        file: Path of the file.
        series: Name of the series where the file has several, else None.
        experiment: The experiment it belongs to, where the file says so.
        verdict: The verdict in one word.
        iterations: How many readings were judged.
        rate_mb_per_iteration: Growth of the channel that decided, after the warm-up.
        ci_low: Lower end of its interval; None where there is no bound.
        ci_high: Upper end of its interval; None where there is no bound.
        rate_channel: The channel that decided: ``rss``, ``rss_anon``, ``live``, ``nonmalloc`` or ``file``.
        rss_rate_mb_per_iteration: Growth of RSS.
        rss_ci_low: Lower end of its interval.
        rss_ci_high: Upper end of its interval.
        heap_rate_mb_per_iteration: Growth of the live heap; None without a heap channel.
        heap_ci_low: Lower end of its interval.
        heap_ci_high: Upper end of its interval.
        rate_mb_per_hour: The rate by the clock, where the file tells times.
        tolerance: Growth per iteration above which it counts as a leak.
        warm_up: Iterations at the start that were left out.
        reasons: Why, in plain words, the weightiest first.
        settle: What would settle it; empty when it is settled.
        composition: What the growth is made of.
    """

    file: str
    series: str | None = None
    experiment: str | None = None
    verdict: JudgedAs
    iterations: int = 0
    rate_mb_per_iteration: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    rate_channel: str | None = None
    rss_rate_mb_per_iteration: float | None = None
    rss_ci_low: float | None = None
    rss_ci_high: float | None = None
    heap_rate_mb_per_iteration: float | None = None
    heap_ci_low: float | None = None
    heap_ci_high: float | None = None
    rate_mb_per_hour: float | None = None
    tolerance: float | None = None
    warm_up: int = 0
    reasons: list[str] = []
    settle: list[str] = []
    composition: Growth = Growth()


def judge_measured(series: MeasuredSeries, channels: Channels = "rss,heap") -> Finding:
    """Judge one series.

    One that crashed is ``crashed`` and keeps the rates of the iterations before; one that has no reading is
    ``unavailable``, or ``inconclusive`` when nothing says that it could not run.
    """
    bare = Finding(
        file=series.file,
        series=series.series,
        experiment=series.experiment,
        verdict=series.ending or "inconclusive",
        iterations=int(series.rss.size),
        reasons=list(series.notes),
    )
    if not series.rss.size:
        return msgspec.structs.replace(bare, reasons=[*series.notes, "there is no reading"])
    judged = _judge(series, channels)
    rate = _finite(judged.rate_mb_per_iteration)
    return msgspec.structs.replace(
        bare,
        verdict=series.ending or judged.verdict,
        rate_mb_per_iteration=rate,
        ci_low=_finite(judged.ci_low),
        ci_high=_finite(judged.ci_high),
        rate_channel=judged.rate_channel,
        rss_rate_mb_per_iteration=_finite(judged.rss_rate_mb_per_iteration),
        rss_ci_low=_finite(judged.rss_ci_low),
        rss_ci_high=_finite(judged.rss_ci_high),
        heap_rate_mb_per_iteration=_finite(judged.heap_rate_mb_per_iteration),
        heap_ci_low=_finite(judged.heap_ci_low),
        heap_ci_high=_finite(judged.heap_ci_high),
        rate_mb_per_hour=rate * 3600 / series.interval_s if rate is not None and series.interval_s else None,
        tolerance=_finite(judged.tolerance),
        warm_up=judged.warm_up,
        reasons=[*_endings_first(series, judged), *(() if series.ending else series.notes)],
        settle=[] if series.ending else list(judged.settle),
        composition=_growth(judged.composition),
    )


def _judge(series: MeasuredSeries, channels: Channels) -> Verdict:
    if channels == "rss":
        return judge(MemorySeries.of(series.rss, rss_anon_mb=series.rss_anon))
    off = series.heap_off
    if off is None and series.live is not None and not series.live.any():
        off = _ZERO_HEAP
    return judge(
        MemorySeries.of(
            series.rss,
            rss_anon_mb=series.rss_anon,
            swap_mb=series.swap,
            live_mb=series.live,
            held_mb=series.held,
            heap_off=off,
        )
    )


def _endings_first(series: MeasuredSeries, judged: Verdict) -> list[str]:
    """What ended a series is the first reason; what was left out of its file is the last."""
    return [*(series.notes if series.ending else ()), *judged.reasons]


def _growth(composition: Composition) -> Growth:
    return Growth(
        live_heap=_finite(composition.live_heap),
        held_free=_finite(composition.held_free),
        outside_malloc=_finite(composition.outside_malloc),
        file_pages=_finite(composition.file_pages),
        swap=_finite(composition.swap),
    )


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and isfinite(value) else None

"""What is said of one series in a file: the object a line of ``analyze --json``."""

from __future__ import annotations

from typing import Literal

import msgspec

from orchestrator.analysis import MemorySeries, Verdict, judge
from orchestrator.analysis.judging.baseline import hold_against, level_above_fresh
from orchestrator.analysis.judging.judged import AgainstBaseline, Judged, count_judgement, rates_of
from orchestrator.series_files.measured import MeasuredSeries

Channels = Literal["rss", "rss,heap"]
"""``rss``: RSS alone, whatever else the file has. ``rss,heap``: every channel there is."""

_ZERO_HEAP = "the allocator's numbers are all zero, as with jemalloc or mimalloc in its place"


class Finding(Judged, frozen=True):
    """The verdict on one series, ready for JSON; its rates and reasons are those of ``Judged``.

    Attributes:
        file: Path of the file.
        series: Name of the series where the file has several, else None.
        experiment: The experiment it belongs to, where the file says so.
        rate_mb_per_hour: The rate by the clock, where the file tells times.
    """

    file: str
    series: str | None = None
    experiment: str | None = None
    rate_mb_per_hour: float | None = None


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
        heap_off=series.heap_off,
        reasons=list(series.notes),
    )
    if not series.rss.size:
        return msgspec.structs.replace(bare, reasons=[*series.notes, "there is no reading"])
    judged = _judge(series, channels)
    rates = rates_of(judged)
    rate: float | None = rates["rate_mb_per_iteration"]
    pace = judged.readings_per_hour
    return msgspec.structs.replace(
        bare,
        **rates,
        verdict=series.ending or judged.verdict,
        rate_mb_per_hour=rate * pace if rate is not None and pace else None,
        reasons=[*_endings_first(series, judged), *(() if series.ending else series.notes)],
        settle=[] if series.ending else list(judged.settle),
        descriptors=count_judgement(series.descriptors, "descriptors"),
        threads=count_judgement(series.threads, "threads"),
        against_baseline=_against(series, judged, channels),
    )


def _against(series: MeasuredSeries, judged: Verdict, channels: Channels) -> AgainstBaseline | None:
    """Hold the series against the fresh processes of its file; None where it has none."""
    fresh = series.fresh
    if fresh is None or not fresh.readings.rss.size:
        return None
    by_life: dict[int, list[float]] = {}
    for life, rss in zip(fresh.lives, fresh.readings.rss.tolist(), strict=True):
        by_life.setdefault(life, []).append(rss)
    return hold_against(
        judged,
        _judge(fresh.readings, channels),
        series=fresh.readings.series or "",
        boundary=fresh.boundary,
        iterations=int(fresh.readings.rss.size),
        level=level_above_fresh(int(series.rss.size), float(series.rss[-1]), by_life, fresh.recycle_after),
    )


def _judge(series: MeasuredSeries, channels: Channels) -> Verdict:
    if channels == "rss":
        return judge(
            MemorySeries.of(
                series.rss,
                rss_anon_mb=series.rss_anon,
                rss_shmem_mb=series.rss_shmem,
                swap_mb=series.swap,
                positions=series.positions,
                elapsed_s=series.elapsed_s,
            )
        )
    off = series.heap_off
    if off is None and series.live is not None and not series.live.any():
        off = _ZERO_HEAP
    return judge(
        MemorySeries.of(
            series.rss,
            rss_anon_mb=series.rss_anon,
            rss_shmem_mb=series.rss_shmem,
            swap_mb=series.swap,
            live_mb=series.live,
            held_mb=series.held,
            heap_off=off,
            positions=series.positions,
            elapsed_s=series.elapsed_s,
        )
    )


def _endings_first(series: MeasuredSeries, judged: Verdict) -> list[str]:
    """What ended a series is the first reason; what was left out of its file is the last."""
    return [*(series.notes if series.ending else ()), *judged.reasons]

"""What is said of one series in a file: the object a line of ``analyze --json``."""

from __future__ import annotations

from typing import Literal

from orchestrator.analysis import MemorySeries
from orchestrator.analysis.judging.judged import AgainstBaseline, Judged
from orchestrator.analysis.judging.judged_readings import JudgedReadings, hold_readings_against
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
    """

    file: str
    series: str | None = None
    experiment: str | None = None


def judge_measured(
    series: MeasuredSeries, channels: Channels = "rss,heap", tolerance: float | None = None
) -> Finding:
    """Judge one series.

    One that crashed is ``crashed`` and keeps the rates of the iterations before; one that has no reading is
    ``unavailable``, or ``inconclusive`` when nothing says that it could not run.

    Args:
        series: The readings.
        channels: Which of them count.
        tolerance: Accepted growth: MB per hour where the series has a clock, else MB per iteration.
    """
    read = _readings(series, channels, tolerance)
    notes = [*series.notes, *(() if len(read) else ("there is no reading",))]
    return Finding(
        file=series.file,
        series=series.series,
        experiment=series.experiment,
        against_baseline=_against(series, read, channels),
        **read.fields(
            ending=series.ending,
            first_reasons=notes if series.ending else (),
            last_reasons=() if series.ending else notes,
        ),
    )


def _against(series: MeasuredSeries, own: JudgedReadings, channels: Channels) -> AgainstBaseline | None:
    """Hold the series against the fresh processes of its file; None where it has none."""
    fresh = series.fresh
    if fresh is None:
        return None
    return hold_readings_against(
        own,
        _readings(fresh.readings, channels),
        series=fresh.readings.series or "",
        boundary=fresh.boundary,
        life=len(own),
        fresh_lives=fresh.lives,
        recycle_after=fresh.recycle_after,
    )


def _readings(series: MeasuredSeries, channels: Channels, tolerance: float | None = None) -> JudgedReadings:
    outside = channels == "rss"
    off = series.heap_off
    if off is None and series.live is not None and series.live.size and not series.live.any():
        off = _ZERO_HEAP
    memory = MemorySeries.of(
        series.rss,
        rss_anon_mb=series.rss_anon,
        rss_shmem_mb=series.rss_shmem,
        swap_mb=series.swap,
        live_mb=None if outside else series.live,
        held_mb=None if outside else series.held,
        heap_off=None if outside else off,
        positions=series.positions,
        elapsed_s=series.elapsed_s,
    )
    return JudgedReadings(memory, descriptors=series.descriptors, threads=series.threads, tolerance=tolerance)

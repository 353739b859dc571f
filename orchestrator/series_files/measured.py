"""One memory series as it was read from a file, whatever the file's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.analysis.series import FloatArray

Ending = Literal["crashed", "unavailable"]

CHANNELS: Mapping[str, str] = {
    "rss": "rss",
    "rss_anon": "rss_anon",
    "rss_shmem": "rss_shmem",
    "swap": "swap",
    "live": "heap_live",
    "held": "heap_held",
    "descriptors": "descriptors",
    "threads": "threads",
}
"""The channels of a series: its attribute, and the field of a reading that it is read from."""

MOST_MB = 2.0**27
"""128 TiB: the address space of a process on x86-64 and arm64. More is no reading, or one in another unit."""


def why_no_memory(reading_mb: float) -> str | None:
    """Return why a number cannot be memory in MB; None where it can."""
    if reading_mb < 0:
        return "below zero"
    if reading_mb > MOST_MB:
        return "more than a process can have; say its unit: --unit B, KB, MB or GB"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSeries:
    """Readings in MB, one per iteration; a channel that the file does not tell throughout is None.

    Attributes:
        file: The file's path, as it was given or found.
        series: Its name where the file has several (a method), else None.
        experiment: The experiment it belongs to, where the file says so.
        rss: RSS.
        rss_anon: Its anonymous part.
        rss_shmem: Its shared part: shared mappings, memfd, shared memory segments.
        swap: Memory in swap.
        live: Live bytes of the C allocator.
        held: Free bytes it holds.
        descriptors: Open descriptors.
        threads: Threads.
        fresh: The fresh processes that it is held against, where the file has them.
        heap_off: Why the heap channel is off; None when it is on, or nothing is said.
        positions: The iteration of each reading, strictly increasing; None when they are consecutive.
        elapsed_s: Seconds of each reading from the first, strictly increasing, where the file tells times.
        interval_s: Mean seconds between two readings, where the file tells times.
        ending: What the series came to, if it did not come to its end.
        notes: What a reader should know: what was left out, and why.
    """

    file: str
    series: str | None = None
    experiment: str | None = None
    rss: FloatArray
    rss_anon: FloatArray | None = None
    rss_shmem: FloatArray | None = None
    swap: FloatArray | None = None
    live: FloatArray | None = None
    held: FloatArray | None = None
    descriptors: FloatArray | None = None
    threads: FloatArray | None = None
    fresh: FreshProcesses | None = None
    heap_off: str | None = None
    positions: FloatArray | None = None
    elapsed_s: FloatArray | None = None
    interval_s: float | None = None
    ending: Ending | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FreshProcesses:
    """The baseline, read where the series is read that is held against it.

    ``lives`` says for each reading how many iterations its process had done; after ``recycle_after`` of them
    there is a fresh one.
    """

    readings: MeasuredSeries
    lives: Sequence[int]
    boundary: str
    recycle_after: int

"""The snapshot that a client gets: those of the pool's statistics that a screen or a script needs.

One JSON object. Sizes are bytes, times seconds; a reader ignores keys it does not know.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from orchestrator.pool.stats import PoolStats, SlotStats, WorkerStats

SNAPSHOT_SCHEMA = 1
SPARK_POINTS = 60


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process. ``sandbox`` is what it is confined to.

    ``limit_bytes`` is what it may take before it is replaced or killed, where that is known; ``reserved_bytes`` its
    part of the memory budget: what it is expected to need.
    """

    pid: int
    model: str
    state: str
    generation: int
    rss_bytes: int
    peak_bytes: int
    reserved_bytes: int
    jobs: int
    age_s: float
    limit_bytes: int | None = None
    sandbox: str = "off"


class SlotView(msgspec.Struct, frozen=True, kw_only=True):
    """One slot. ``memory`` is its RSS over the last minute or so of work, oldest first, at most 60 readings."""

    slot: int
    state: str
    generation: int
    jobs: int
    peak_bytes: int
    exits: dict[str, int]
    memory: list[int]
    worker: WorkerView | None = None
    successor: WorkerView | None = None


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A batch's recordings by state."""

    folder: str
    waiting: int
    running: int
    done: int
    failed: int
    poisoned: int


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that is worked on. ``share`` (0 to 1) of it is done; ``left_s`` as it went so far."""

    path: str
    audio_s: float
    share: float
    elapsed_s: float
    left_s: float | None = None


class WorkView(msgspec.Struct, frozen=True, kw_only=True):
    """The recordings of a command. ``rate`` is seconds of audio done in a second, since its start.

    ``total`` and ``done`` count recordings; ``left_s`` is for all of them, by their number.
    """

    files: list[FileView] = []
    done: int = 0
    total: int | None = None
    rate: float | None = None
    left_s: float | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A pool, and the command it works for if there is one, at one moment.

    ``budget_bytes`` is for all workers together, ``reserved_bytes`` their parts of it, ``rss_bytes`` what they have.
    """

    schema: int = SNAPSHOT_SCHEMA
    pid: int
    title: str
    uptime_s: float
    budget_bytes: int
    reserved_bytes: int
    queue_length: int
    running: int
    outcomes: dict[str, dict[str, int]]
    exits: dict[str, int]
    spawns: int
    evictions: int
    slots: list[SlotView]
    batch: BatchView | None = None
    work: WorkView | None = None
    rss_bytes: int = 0


def view_of(
    stats: PoolStats,
    *,
    pid: int,
    title: str,
    uptime_s: float,
    batch: BatchView | None = None,
    work: WorkView | None = None,
) -> Snapshot:
    """Return the part of a pool's statistics that is shown."""
    return Snapshot(
        pid=pid,
        title=title,
        uptime_s=round(uptime_s, 3),
        budget_bytes=stats.budget_bytes,
        reserved_bytes=stats.reserved_bytes,
        queue_length=stats.queue_length,
        running=stats.running,
        outcomes=stats.outcomes,
        exits=stats.exits,
        spawns=stats.spawns,
        evictions=stats.evictions,
        slots=[_slot(slot) for slot in stats.slots],
        batch=batch,
        work=work,
        rss_bytes=sum(worker.rss_bytes for worker in _all_workers(stats)),
    )


def _all_workers(stats: PoolStats) -> list[WorkerStats]:
    """Return those in slots, successors, and those on their way out."""
    in_slots = [
        worker for slot in stats.slots for worker in (slot.worker, slot.successor) if worker is not None
    ]
    return [*in_slots, *stats.leaving]


def _slot(slot: SlotStats) -> SlotView:
    return SlotView(
        slot=slot.slot,
        state=slot.state,
        generation=slot.generation,
        jobs=slot.jobs,
        peak_bytes=slot.peak_bytes,
        exits=slot.exits,
        memory=thinned([sample.rss_bytes for sample in slot.series], SPARK_POINTS),
        worker=_worker(slot.worker),
        successor=_worker(slot.successor),
    )


def _worker(worker: WorkerStats | None) -> WorkerView | None:
    if worker is None:
        return None
    return WorkerView(
        pid=worker.pid,
        model=worker.model,
        state=worker.state,
        generation=worker.generation,
        rss_bytes=worker.rss_bytes,
        peak_bytes=worker.peak_bytes,
        reserved_bytes=worker.reserved_bytes,
        jobs=worker.jobs,
        age_s=round(worker.age_s, 3),
        limit_bytes=worker.limit_bytes,
        sandbox=worker.sandbox,
    )


def thinned(readings: list[int], points: int) -> list[int]:
    """Return at most ``points`` values, each the highest of its share of the readings, so that no peak is lost."""
    count = len(readings)
    if count <= points:
        return readings
    edges = [index * count // points for index in range(points + 1)]
    return [max(readings[start:end]) for start, end in pairwise(edges)]

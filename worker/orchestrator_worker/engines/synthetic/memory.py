"""The memory behaviours of the synthetic engine: one small class each.

A behaviour reacts to one kind of event (a load, a job, a token, a restart) by taking or freeing real memory
(:mod:`.blocks`). It decides how much, when and whether it comes back; it knows no clock and no
engine. :func:`make_behaviours` builds those that the options ask for.
"""

from __future__ import annotations

import mmap
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import Literal

from orchestrator_worker.engines.synthetic.blocks import KIB, MallocSource, Region, Source, libc, source
from orchestrator_worker.engines.synthetic.options import SyntheticOptions
from orchestrator_worker.engines.synthetic.shapes import (
    ChunkShape,
    ConstantShape,
    PoolShape,
    RandomShape,
    Shape,
    draw,
)

Event = Literal["load", "job", "token", "restart"]


class Behaviour(ABC):
    """Reacts to the events of one kind."""

    def __init__(self, when: Event) -> None:
        self.when = when

    @abstractmethod
    def react(self, job: int) -> None:
        """Take or free memory. ``job`` is the current job's number, between jobs the next one's."""


class Leak(Behaviour):
    """Takes memory and forgets it. Less than a granule is owed to the next event, so the rate is exact."""

    def __init__(self, when: Event, shape: Shape, origin: Source, starts_at_job: int = 1) -> None:
        super().__init__(when)
        self._shape = shape
        self._source = origin
        self._starts_at_job = starts_at_job
        self._events = 0
        self._owed_bytes = 0.0

    def react(self, job: int) -> None:
        """Lose what this event costs."""
        if job < self._starts_at_job:
            return
        self._events += 1
        self._owed_bytes += self._shape.kib(self._events) * KIB
        granules = int(self._owed_bytes // self._source.granule_bytes)
        if granules:
            self._source.take(granules * self._source.granule_bytes)
            self._owed_bytes -= granules * self._source.granule_bytes


class Fragmentation(Behaviour):
    """Leaves memory that is free, held and useless.

    Blocks of one size are allocated side by side, then each is cut down to a pin of 32 bytes by ``realloc``,
    which leaves the pin where it is. The hole behind it is too small for the next job's blocks, and smaller
    than a page, so trimming cannot return it either. Live memory grows only by the pins (under 1 %).
    """

    BLOCK_BYTES = 3584
    PIN_BYTES = 24

    def __init__(self, kib_per_job: float, jobs: int | None) -> None:
        super().__init__("job")
        self._blocks = int(kib_per_job * KIB / self.BLOCK_BYTES)
        self._jobs = jobs

    def react(self, job: int) -> None:
        """Fragment once more."""
        if self._jobs is not None and job > self._jobs:
            return
        blocks = [MallocSource().take_one(self.BLOCK_BYTES) for _ in range(self._blocks)]
        for address in blocks:
            libc.realloc(address, self.PIN_BYTES)


class FilePages(Behaviour):
    """Reads the pages of a mapped file bit by bit, as weights that are mapped are read: they stay resident."""

    def __init__(self, kib: float, fill_jobs: int) -> None:
        super().__init__("job")
        # Here, not with the first job: an import in mid-series would look like growth.
        import tempfile

        self._fill_jobs = fill_jobs
        self._pages = -(-int(kib * KIB) // mmap.PAGESIZE)
        with tempfile.TemporaryFile() as file:
            file.truncate(self._pages * mmap.PAGESIZE)
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def react(self, job: int) -> None:
        """Touch the next part; nothing once the file has been read to its end."""
        first, end = (self._pages * min(done, self._fill_jobs) // self._fill_jobs for done in (job - 1, job))
        for page in range(first, end):
            self._map[page * mmap.PAGESIZE]


class Cache(Behaviour):
    """Adds one entry a job and drops the oldest ones beyond its capacity."""

    def __init__(self, options: SyntheticOptions, origin: Source) -> None:
        super().__init__("job")
        self._options = options
        self._source = origin
        self._entries: deque[Region] = deque()

    def react(self, job: int) -> None:
        """Insert, then evict."""
        factor = 0.5 + draw(self._options.seed, "cache", job)
        self._entries.append(Region(self._source, self._options.cache_entries_kib * factor))
        while sum(entry.size for entry in self._entries) > self._options.cache_kib * KIB:
            self._entries.popleft().free()


class KeyedCache(Behaviour):
    """Is asked for one of so many keys with every job, and keeps an entry for each key that was asked for.

    The more of them it has, the seldomer a job asks for a new one: it fills ever more slowly and is never evicted.
    """

    def __init__(self, options: SyntheticOptions, origin: Source) -> None:
        super().__init__("job")
        self._options = options
        self._source = origin
        self._entries: dict[int, Region] = {}

    def react(self, job: int) -> None:
        """Ask for a drawn key."""
        key = int(draw(self._options.seed, "key", job) * self._options.cache_keys)
        if key not in self._entries:
            self._entries[key] = Region(self._source, self._options.cache_entries_kib)


class Sawtooth(Behaviour):
    """Grows in even steps over a period, then drops all and starts again."""

    def __init__(self, kib: float, period: int, origin: Source) -> None:
        super().__init__("job")
        self._step_kib = kib / period
        self._period = period
        self._source = origin
        self._teeth: list[Region] = []

    def react(self, job: int) -> None:
        """Drop at a period's first job, then grow."""
        if (job - 1) % self._period == 0:
            while self._teeth:
                self._teeth.pop().free()
        self._teeth.append(Region(self._source, self._step_kib))


class Noise(Behaviour):
    """Holds a level drawn anew with every job."""

    def __init__(self, kib: float, seed: int, origin: Source) -> None:
        super().__init__("job")
        self._kib = kib
        self._seed = seed
        self._source = origin
        self._held: Region | None = None

    def react(self, job: int) -> None:
        """Change the level."""
        if self._held:
            self._held.free()
        # + one granule: a mapping of 0 bytes is an error
        kib = self._kib * draw(self._seed, "noise", job) + self._source.granule_bytes / KIB
        self._held = Region(self._source, kib)


class DescriptorLeak(Behaviour):
    """Opens files and forgets them."""

    def __init__(self, per_job: int, starts_at_job: int) -> None:
        super().__init__("job")
        self._per_job = per_job
        self._starts_at_job = starts_at_job

    def react(self, job: int) -> None:
        """Leave some more open."""
        if job >= self._starts_at_job:
            for _ in range(self._per_job):
                os.open(os.devnull, os.O_RDONLY)


class ThreadLeak(Behaviour):
    """Starts threads that wait for what never comes."""

    def __init__(self, per_job: int, starts_at_job: int) -> None:
        super().__init__("job")
        self._per_job = per_job
        self._starts_at_job = starts_at_job

    def react(self, job: int) -> None:
        """Leave some more waiting."""
        import _thread

        if job >= self._starts_at_job:
            for _ in range(self._per_job):
                never = _thread.allocate_lock()
                never.acquire()
                _thread.start_new_thread(never.acquire, ())


# --------------------------------------------------------------------------- from options


def make_behaviours(options: SyntheticOptions) -> list[Behaviour]:
    """Build the behaviours that ``options`` ask for, in the order in which they take memory."""
    return [*_growing(options), *_coming_and_going(options), *_others(options)]


def _growing(options: SyntheticOptions) -> Iterator[Behaviour]:
    origin = source(options.leak_source)
    rates: dict[Event, float] = {
        "job": options.leak_kib_per_job,
        "load": options.leak_kib_per_load,
        "token": options.leak_kib_per_token,
        "restart": options.leak_kib_per_restart,
    }
    for when, rate in rates.items():
        if rate:
            yield Leak(when, _leak_shape(options, when, rate), origin, options.leak_starts_at_job)
    if options.pool_kib:
        yield Leak("job", PoolShape(options.pool_kib, options.pool_fill_jobs), origin)
    if options.fragment_kib:
        yield Fragmentation(options.fragment_kib, options.fragment_jobs)
    if options.file_kib:
        yield FilePages(options.file_kib, options.file_fill_jobs)


def _leak_shape(options: SyntheticOptions, what: Event, rate_kib: float) -> Shape:
    if options.leak_shape == "constant":
        return ConstantShape(rate_kib)
    if options.leak_shape == "random":
        return RandomShape(rate_kib, options.seed, what)
    return ChunkShape(rate_kib, options.chunk_kib, options.seed, what)


def _coming_and_going(options: SyntheticOptions) -> Iterator[Behaviour]:
    origin = source(options.transient_source)
    if options.cache_kib:
        yield Cache(options, origin)
    if options.cache_keys:
        yield KeyedCache(options, origin)
    if options.sawtooth_kib:
        yield Sawtooth(options.sawtooth_kib, options.sawtooth_period, origin)
    if options.noise_kib:
        yield Noise(options.noise_kib, options.seed, origin)


def _others(options: SyntheticOptions) -> Iterator[Behaviour]:
    if options.leak_fds_per_job:
        yield DescriptorLeak(options.leak_fds_per_job, options.leak_starts_at_job)
    if options.leak_threads_per_job:
        yield ThreadLeak(options.leak_threads_per_job, options.leak_starts_at_job)

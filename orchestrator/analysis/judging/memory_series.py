"""All channels of one memory series, checked, and the channels that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.series import FloatArray, SeriesLike, as_series


@dataclass(frozen=True, slots=True)
class MemorySeries:
    """Readings of one process, one per iteration and channel, MB (1024 squared bytes).

    Made by ``MemorySeries.of``, which checks them.

    Attributes:
        rss: Resident set size.
        rss_anon: Its anonymous part; None when the system does not tell it.
        shmem: Its shared part: shared mappings, memfd, POSIX and System V shared memory; None when not told.
        swap: Memory moved out to swap; None when the system does not tell it.
        live: Live bytes of the C allocator; None when the heap channel is off.
        held: Free bytes it holds; None when it does not tell, then ``live`` counts as live only.
        heap_off: Why there is no heap channel, e.g. ``"allocator replaced"``; None when there is one or no
            reason is known.
        positions: The iteration each reading belongs to, strictly increasing; rates are per step of it. None:
            the readings are of consecutive iterations.
        elapsed_s: Seconds from the first reading, strictly increasing; None without a clock.
        iteration_s: Seconds from one iteration to the next where that was measured. Nothing is judged by it; words
            say what growth per iteration makes in a day.
    """

    rss: FloatArray
    rss_anon: FloatArray | None = None
    swap: FloatArray | None = None
    live: FloatArray | None = None
    held: FloatArray | None = None
    heap_off: str | None = None
    shmem: FloatArray | None = None
    positions: FloatArray | None = None
    elapsed_s: FloatArray | None = None
    iteration_s: float | None = None

    @classmethod
    def of(
        cls,
        rss_mb: SeriesLike,
        *,
        rss_anon_mb: SeriesLike | None = None,
        rss_shmem_mb: SeriesLike | None = None,
        swap_mb: SeriesLike | None = None,
        live_mb: SeriesLike | None = None,
        held_mb: SeriesLike | None = None,
        heap_off: str | None = None,
        positions: SeriesLike | None = None,
        elapsed_s: SeriesLike | None = None,
        iteration_s: float | None = None,
    ) -> MemorySeries:
        """Check the readings and return them as a series.

        With ``heap_off`` the two heap channels are left out, whatever they hold: a replaced allocator reads
        as zeros, which must never count as a heap at rest. ``positions`` that go up by one each are dropped.

        Raises:
            ValueError: A channel holds a value that is not finite, or has another length than RSS; or the
                positions or times do not increase from reading to reading.
        """
        rss = as_series(rss_mb, "rss")

        def optional(values: SeriesLike | None, name: str) -> FloatArray | None:
            return None if values is None else as_series(values, name, length=rss.size)

        live, held = optional(live_mb, "live"), optional(held_mb, "held")
        return cls(
            rss,
            optional(rss_anon_mb, "rss_anon"),
            optional(swap_mb, "swap"),
            None if heap_off else live,
            None if heap_off else held,
            heap_off,
            optional(rss_shmem_mb, "rss_shmem"),
            _steps(optional(positions, "positions"), "positions"),
            _increasing(optional(elapsed_s, "elapsed_s"), "elapsed_s"),
            iteration_s,
        )

    @property
    def leak_series(self) -> FloatArray:
        """The leak series: anonymous and shared memory and swap where the system tells them, else RSS."""
        series = self.rss
        if self.rss_anon is not None:
            series = self.rss_anon if self.shmem is None else self.rss_anon + self.shmem
        return series if self.swap is None else series + self.swap

    @property
    def nonmalloc(self) -> FloatArray | None:
        """Anonymous and shared memory outside malloc; None when a channel it needs is missing.

        Not to be believed when negative somewhere: held chunks need not be resident.
        """
        if self.rss_anon is None or self.live is None or self.held is None:
            return None
        return self.leak_series - self.live - self.held

    @property
    def file(self) -> FloatArray | None:
        """Pages of mapped files; None when RssAnon is not known."""
        if self.rss_anon is None:
            return None
        resident = self.rss - self.rss_anon
        return resident if self.shmem is None else resident - self.shmem

    def first(self, count: int) -> MemorySeries:
        """Return the series as it was after ``count`` iterations."""

        def cut(values: FloatArray | None) -> FloatArray | None:
            return None if values is None else values[:count]

        return MemorySeries(
            self.rss[:count],
            cut(self.rss_anon),
            cut(self.swap),
            cut(self.live),
            cut(self.held),
            self.heap_off,
            cut(self.shmem),
            cut(self.positions),
            cut(self.elapsed_s),
            self.iteration_s,
        )

    def __len__(self) -> int:
        """Return the number of iterations."""
        return int(self.rss.size)


def _steps(positions: FloatArray | None, name: str) -> FloatArray | None:
    """Return positions that are worth regressing on: None where every step is one."""
    checked = _increasing(positions, name)
    return None if checked is None or bool((np.diff(checked) == 1).all()) else checked


def _increasing(values: FloatArray | None, name: str) -> FloatArray | None:
    if values is None:
        return None
    wrong = np.flatnonzero(np.diff(values) <= 0)
    if wrong.size:
        at = int(wrong[0])
        raise ValueError(
            f"{name}: reading {at + 2} is {values[at + 1]:g}, not above {values[at]:g} before it"
        )
    return values

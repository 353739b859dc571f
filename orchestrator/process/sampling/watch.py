"""One watched process: what was read of it last, the highest so far, and what is written beside a reading."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from orchestrator.process.memory import ProcessGoneError
from orchestrator.process.sampling.descendants import Descendants
from orchestrator.process.sampling.resident import ResidentReader
from orchestrator.process.sampling.sample_record import Label, phase_code


class RssReading(NamedTuple):
    """One reading of the time series. ``rss_anon`` is 0 where the system does not tell it cheaply.

    ``time_ns`` counts from the sampler's origin; the rest is bytes. ``tree_rss`` is the process and its known
    descendants together. ``rss_shmem`` is the shared memory in ``rss``, which ``rss_anon`` does not hold.
    """

    time_ns: int
    rss: int
    rss_anon: int
    tree_rss: int
    rss_shmem: int = 0


class Peak(NamedTuple):
    """The highest readings since the last :meth:`Watch.take_peak`; 0 when there was none."""

    rss: int
    tree_rss: int
    readings: int


Sink = Callable[[Label, RssReading], None]
"""Receives each reading with its label, in the sampler's thread."""


class Watch:
    """Made by :meth:`~orchestrator.process.sampling.sampler.Sampler.watch`; thread-safe.

    ``latest`` is the newest reading, for progress displays. ``gone`` turns true when the process was found
    dead; everything read until then stays. ``peak_bytes`` and ``tree_peak_bytes`` are the highest RSS since
    the last :meth:`take_peak`, of the process and of it with its descendants.
    """

    __slots__ = (
        "_closed",
        "_descendants",
        "_family",
        "_label",
        "_lock",
        "_reader",
        "_readings",
        "gone",
        "latest",
        "peak_bytes",
        "pid",
        "slot",
        "tree_peak_bytes",
    )

    def __init__(self, pid: int, slot: int, now_ns: int) -> None:
        """Read once, so that there always is a ``latest``.

        Raises:
            ProcessGoneError: There is no such process.
        """
        self.pid = pid
        self.slot = slot
        self.gone = False
        self._label = Label()
        self._reader = ResidentReader(pid)
        self._descendants = Descendants(pid)
        self._family = self._descendants.known  # a live view
        self._closed = False
        self._lock = threading.Lock()
        self._readings = 0
        self.peak_bytes = 0
        self.tree_peak_bytes = 0
        try:
            rss, rss_anon = self._reader.read()
        except ProcessGoneError:
            self.close()
            raise
        self.latest = RssReading(now_ns, rss, rss_anon, rss, self._reader.shared())

    def label(
        self,
        *,
        experiment: int | None = None,
        series: int | None = None,
        iteration: int | None = None,
        step: int | None = None,
        generation: int | None = None,
        phase: str | None = None,
    ) -> None:
        """Set what is written beside each reading from now on; what is not named stays.

        ``experiment`` and ``series`` are codes given by the SampleWriter. One attribute is stored, so that a
        reading never gets half of a label. Only one thread may label a watch.

        Raises:
            ValueError: There is no such phase.
        """
        old = self._label
        self._label = Label(
            old.experiment if experiment is None else experiment,
            old.series if series is None else series,
            old.iteration if iteration is None else iteration,
            old.step if step is None else step,
            old.generation if generation is None else generation,
            old.phase if phase is None else phase_code(phase),
        )

    def take_peak(self) -> Peak:
        """Return the highest readings so far and start anew."""
        with self._lock:
            peak = Peak(self.peak_bytes, self.tree_peak_bytes, self._readings)
            self.peak_bytes = self.tree_peak_bytes = self._readings = 0
        return peak

    def sample(self, time_ns: int, sink: Sink | None, *, look: bool) -> bool:
        """Take one reading and hand it to ``sink``, if any; False when the process has died or the watch is closed.

        ``look`` asks to look for new descendants first. The sampler's thread calls this.
        """
        with self._lock:
            label = self._label
            try:
                if look:
                    self._descendants.look()
                rss, rss_anon = self._reader.read()
            except ProcessGoneError:
                self.gone = not self._closed
                return False
            tree_rss = rss + self._descendants.read_rss() if self._family else rss
            # Comparisons, not max(): the calls were a twentieth of what a reading costs.
            if rss > self.peak_bytes:  # noqa: PLR1730
                self.peak_bytes = rss
            if tree_rss > self.tree_peak_bytes:  # noqa: PLR1730
                self.tree_peak_bytes = tree_rss
            self._readings += 1
            self.latest = reading = RssReading(time_ns, rss, rss_anon, tree_rss, self._reader.shared())
            if sink is not None:
                sink(label, reading)
        return True

    def close(self) -> None:
        """Close every descriptor; no reading is under way or comes after. Again is harmless."""
        with self._lock:
            self._closed = True
            self._reader.close()
            self._descendants.close()

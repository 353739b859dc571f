"""One watched process: what was read of it last, the highest so far, and what is written beside a reading."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from orchestrator.process.memory import ProcessGoneError, read_private
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
"""Receives each reading with its label, oldest first, in the sampler's thread or one that asks for a peak."""


class Watch:
    """Made by :meth:`~orchestrator.process.sampling.sampler.Sampler.watch`; thread-safe.

    Readings come in one of two ways: taken here (:meth:`sample`), or by a sampling process a while ago
    (:meth:`receive`). Whoever asks for one first has the sampler hand over what the process has read by then.
    """

    __slots__ = (
        "_clock_ns",
        "_closed",
        "_descendants",
        "_every",
        "_family",
        "_gone",
        "_hand_over",
        "_labels",
        "_latest",
        "_lock",
        "_peak",
        "_private",
        "_reader",
        "_readings",
        "_since_ns",
        "_tree_peak",
        "number",
        "pid",
        "slot",
    )

    def __init__(
        self,
        pid: int,
        slot: int,
        clock_ns: Callable[[], int],
        hand_over: Callable[[], None] | None = None,
        private_every: int = 0,
    ) -> None:
        """Read once, so that there always is a ``latest``. ``clock_ns`` counts from the sampler's origin.

        Raises:
            ProcessGoneError: There is no such process.
        """
        self.pid = pid
        self.slot = slot
        self.number: int | None = None
        """Under which the sampling process reads it; None: it does not."""
        self._clock_ns = clock_ns
        self._hand_over = hand_over or _nothing
        self._every = private_every
        self._gone = False
        self._since_ns = clock_ns()
        self._labels = [(self._since_ns, Label())]
        self._reader = ResidentReader(pid)
        self._descendants = Descendants(pid)
        self._family = self._descendants.known  # a live view
        self._closed = False
        self._lock = threading.Lock()
        self._readings = 0
        self._private = 0
        self._peak = self._tree_peak = 0
        try:
            rss, rss_anon = self._reader.read()
        except ProcessGoneError:
            self.close()
            raise
        self._latest = RssReading(self._since_ns, rss, rss_anon, rss, self._reader.shared())

    # ------------------------------------------------------------------ the owner's side

    @property
    def latest(self) -> RssReading:
        """The newest reading, for progress displays."""
        self._hand_over()
        return self._latest

    @property
    def gone(self) -> bool:
        """Whether the process was found dead; everything read until then stays."""
        self._hand_over()
        return self._gone

    @property
    def peak_bytes(self) -> int:
        """The highest RSS of the process since the last :meth:`take_peak`."""
        self._hand_over()
        return self._peak

    @property
    def tree_peak_bytes(self) -> int:
        """The highest RSS of the process with its descendants since then."""
        self._hand_over()
        return self._tree_peak

    @property
    def private_bytes(self) -> int:
        """The private bytes of the process as they were counted last; 0 before that, and where nobody asked for it."""
        self._hand_over()
        return self._private

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
        """Set what is written beside each reading that is taken from now on; what is not named stays.

        ``experiment`` and ``series`` are codes given by the SampleWriter. A reading never gets half of a label, and
        one that was taken before gets the label of its time, however late it is handed over. Only one thread may
        label a watch.

        Raises:
            ValueError: There is no such phase.
        """
        old = self._labels[-1][1]
        label = Label(
            old.experiment if experiment is None else experiment,
            old.series if series is None else series,
            old.iteration if iteration is None else iteration,
            old.step if step is None else step,
            old.generation if generation is None else generation,
            old.phase if phase is None else phase_code(phase),
        )
        with self._lock:
            if self._closed or self._gone:
                self._labels.clear()  # no reading comes that would have an old one
            self._labels.append((self._clock_ns(), label))

    def take_peak(self) -> Peak:
        """Return the highest readings so far and start anew."""
        self._hand_over()
        with self._lock:
            peak = Peak(self._peak, self._tree_peak, self._readings)
            self._peak = self._tree_peak = self._readings = 0
            self._since_ns = self._clock_ns()
        return peak

    # ------------------------------------------------------------------ the sampler's side

    def receive(self, reading: RssReading, private: int, sink: Sink | None) -> None:
        """Take a reading of the sampling process and hand it to ``sink``, if any."""
        with self._lock:
            if self._closed or reading.time_ns <= self._latest.time_ns:
                return  # had before; or this process has read later, while that one did not answer
            self._private = private
            self._take(reading, sink)

    def found_gone(self) -> None:
        """The sampling process has found it dead."""
        self._gone = not self._closed

    def sample(self, time_ns: int, sink: Sink | None, *, look: bool) -> bool:
        """Take one reading and hand it to ``sink``, if any; False when the process has died or the watch is closed.

        ``look`` asks to look for new descendants first. The sampler's thread calls this.
        """
        with self._lock:
            try:
                if look:
                    self._descendants.look()
                rss, rss_anon = self._reader.read()
            except ProcessGoneError:
                self._gone = not self._closed
                return False
            tree_rss = rss + self._descendants.read_rss() if self._family else rss
            if self._every and self._readings % self._every == 0:
                self._private = read_private(self.pid) or 0
            self._take(RssReading(time_ns, rss, rss_anon, tree_rss, self._reader.shared()), sink)
        return True

    def _take(self, reading: RssReading, sink: Sink | None) -> None:
        if reading.time_ns >= self._since_ns:
            # Comparisons, not max(): the calls were a twentieth of what a reading costs.
            if reading.rss > self._peak:  # noqa: PLR1730
                self._peak = reading.rss
            if reading.tree_rss > self._tree_peak:  # noqa: PLR1730
                self._tree_peak = reading.tree_rss
            self._readings += 1
        self._latest = reading
        label = self._label_at(reading.time_ns)  # without a sink too: it forgets those before
        if sink is not None:
            sink(label, reading)

    def _label_at(self, time_ns: int) -> Label:
        labels = self._labels
        while len(labels) > 1 and labels[1][0] <= time_ns:
            labels.pop(0)  # readings come in the order of their times
        return labels[0][1]

    def close(self) -> None:
        """Close every descriptor; no reading is under way or comes after. Again is harmless."""
        self._hand_over = _nothing
        with self._lock:
            self._closed = True
            self._reader.close()
            self._descendants.close()


def _nothing() -> None:
    return

"""The thread that reads the memory of worker processes at a fixed pace.

::

    owner                          sampler thread                      sink (SampleWriter.write)
    watch(pid, slot) ───────────▶  every interval_s, each watch:
    watch.label(iteration=3)         statm, descendants ─────────────▶ label, reading
    watch.take_peak()                peak, latest
    unwatch(watch) ─────────────▶  closes its descriptors

One thread serves any number of workers: an experiment watches one at a time, a pool all of its slots. It does
not decide what a reading means and writes no file itself.

What it costs: ``benchmarks/results/sampling.json``, beside the same system calls in a bare loop. The thread
needs the interpreter's lock, so pure Python work in the same process delays it by the switch interval (5 ms)
and more: it then misses deadlines and counts them, and what was not read cannot be
in the peak.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from orchestrator.process.sampling.deadlines import Deadlines
from orchestrator.process.sampling.sample_record import Label
from orchestrator.process.sampling.watch import RssReading, Sink, Watch

LOOK_EVERY_NS = 50_000_000
"""How often one process is asked for new descendants: each in its turn, so that the cost does not grow with
the number of workers. Descendants already known are read at the full pace."""
LONGEST_SLEEP_S = 0.05


class Sampler:
    """Samples every watched process each ``interval_s`` between :meth:`start` and :meth:`stop`.

    Times of readings count from ``origin_ns`` on ``clock_ns`` (the start of the run; now unless told).
    """

    def __init__(
        self,
        interval_s: float,
        *,
        sink: Sink | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        origin_ns: int | None = None,
    ) -> None:
        """Prepare; nothing runs yet.

        Raises:
            ValueError: The interval is not positive.
        """
        self._clock_ns = clock_ns
        now_ns = clock_ns()
        self._origin_ns = now_ns if origin_ns is None else origin_ns
        self._deadlines = Deadlines(round(interval_s * 1e9), now_ns)
        self._next_look_ns = 0
        self._looks = 0
        self._sink = sink
        self._watches: tuple[Watch, ...] = ()  # replaced, never changed: the thread goes through it unlocked
        self._change = threading.Lock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._stopping = False
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------------ the owner's side

    @property
    def missed_deadlines(self) -> int:
        """Deadlines that passed without a reading, because the thread came too late."""
        return self._deadlines.missed

    def start(self) -> Self:
        """Start the thread; once only."""
        if self._thread is not None:
            raise RuntimeError("a sampler is started once")
        self._thread = threading.Thread(target=self._run, name="orchestrator-sampler", daemon=True)
        self._thread.start()
        return self

    def watch(self, pid: int, slot: int = 0) -> Watch:
        """Read ``pid`` once now and at every deadline from now on.

        Raises:
            ProcessGoneError: There is no such process.
        """
        now_ns = self._clock_ns() - self._origin_ns
        watch = Watch(pid, slot, now_ns)
        with self._change:
            self._watches = (*self._watches, watch)
            if len(self._watches) == 1:
                self._nudge()
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Stop reading it: after the return no reading of it comes. Again is harmless."""
        with self._change:
            self._watches = tuple(other for other in self._watches if other is not watch)
        watch.close()

    def check(self) -> None:
        """Raise what went wrong in the thread, if anything did; owners call it now and then.

        Raises:
            OSError: The sink could not write (disk full). Peaks go on being taken.
            Exception: Reading failed in a way nobody thought of; that process is not watched any more.
        """
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the thread, wait for it, close every descriptor.

        Raises:
            Exception: As :meth:`check`, once everything is closed.
        """
        self._stopping = True
        self._nudge()
        if self._thread is not None:
            self._thread.join()
        for watch in self._watches:
            self.unwatch(watch)
        self.check()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; an error of the thread does not hide one of the block."""
        try:
            self.stop()
        except Exception:
            if error is None:
                raise

    # ------------------------------------------------------------------ the thread's side

    def _nudge(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._wake.release()

    def _run(self) -> None:
        self._deadlines.restart(self._clock_ns())
        while not self._stopping:
            if not self._watches:
                self._wake.acquire()
                self._deadlines.restart(self._clock_ns())
                continue
            if self._woken_early(self._deadlines.wait_ns(self._clock_ns()) / 1e9):
                continue
            self._deadlines.keep(self._clock_ns())
            self._sample_all()

    def _woken_early(self, wait_s: float) -> bool:
        # Sleeping costs two thirds of waiting for a lock with a timeout, but nobody can end it: so only for as
        # long as stop() may well take. An Event's wait would cost more than the readings.
        if wait_s > LONGEST_SLEEP_S:
            return self._wake.acquire(timeout=wait_s)
        time.sleep(wait_s)
        return False

    def _sample_all(self) -> None:
        watches = self._watches
        turn = self._whose_turn(len(watches))
        clock_ns, origin_ns = self._clock_ns, self._origin_ns
        deliver = None if self._sink is None else self._deliver
        for index, watch in enumerate(watches):
            try:
                if not watch.sample(clock_ns() - origin_ns, deliver, look=index == turn):
                    self.unwatch(watch)
            except Exception as error:  # noqa: BLE001 - kept, and raised where the owner asks
                self._keep(error)
                self.unwatch(watch)

    def _whose_turn(self, count: int) -> int:
        """Return the index of the watch that looks for descendants in this round; -1 for none."""
        now_ns = self._clock_ns()
        if now_ns < self._next_look_ns or count == 0:
            return -1
        self._next_look_ns = now_ns + LOOK_EVERY_NS
        self._looks += 1
        return self._looks % count

    def _deliver(self, label: Label, reading: RssReading) -> None:
        if self._sink is None:
            return
        try:
            self._sink(label, reading)
        except Exception as error:  # noqa: BLE001 - kept, and raised where the owner asks
            self._keep(error)
            self._sink = None  # memory is still watched: a full disk is no reason to lose the peaks

    def _keep(self, error: Exception) -> None:
        if self._error is None:
            self._error = error

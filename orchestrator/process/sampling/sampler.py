"""Reads the memory of an experiment's workers at a fixed pace, in a process that nobody can hold up.

::

    owner                       sampling process             sampler thread                sink
    watch(pid, slot) ─────────▶ every interval_s, each:
    watch.label(iteration=3)      statm, descendants ─ring─▶ hand over, 4 times a second ─▶ label, reading
    watch.take_peak() ───────────────────────────────ring─▶ or at once: peak, latest
    unwatch(watch) ───────────▶ closes its descriptors

A thread of this process needs the interpreter's lock: beside pure Python work (a notebook, a debugger) it misses most
of its deadlines, and what was not read cannot be in the peak. The sampling process needs no lock of ours. What it has
read waits in shared memory (:mod:`.ring`), so handing over may come late: a reading has the time at which it was taken,
and the label of that time.

Until that process is up, while it does not answer, and where the system can have none, the thread reads by itself at
the same pace, and counts the deadlines that it misses. What both cost: ``benchmarks/results/sampling.json``.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from orchestrator.process.memory import ProcessGoneError
from orchestrator.process.sampling import layout
from orchestrator.process.sampling.deadlines import Deadlines
from orchestrator.process.sampling.proc_files import GoneError
from orchestrator.process.sampling.ring import RingReading
from orchestrator.process.sampling.sample_record import Label
from orchestrator.process.sampling.sampling_process import SamplingProcess, why_not
from orchestrator.process.sampling.watch import RssReading, Sink, Watch

LOOK_EVERY_NS = 50_000_000
"""How often the thread asks one process for new descendants: each in its turn, so that the cost does not grow with
the number of workers. Descendants already known are read at the full pace."""
LONGEST_SLEEP_S = 0.05
HAND_OVER_S = 0.25
CAPACITY = 1 << 16
"""Readings that may wait, 5 MB: of one worker every 20 ms those of 20 minutes, in which a debugger may hold us."""


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
        apart: bool = True,
    ) -> None:
        """Prepare; nothing runs yet. ``apart``: by a process where that is possible, and the clock is the system's.

        Raises:
            ValueError: The interval is not positive.
        """
        self._clock_ns = clock_ns
        now_ns = clock_ns()
        self._origin_ns = now_ns if origin_ns is None else origin_ns
        self._interval_s = interval_s
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
        self._process: SamplingProcess | None = None
        self._apart = apart and clock_ns is time.monotonic_ns and why_not() is None
        self._handing_over = threading.Lock()
        self._came: deque[RingReading] = deque()
        self._missed = 0  # by a process that is closed
        self._covered = 0  # of what it missed, the thread has read

    # ------------------------------------------------------------------ the owner's side

    @property
    def missed_deadlines(self) -> int:
        """Deadlines that passed without a reading, because who reads came too late or was not there."""
        process = self._process
        by_process = self._missed if process is None else process.missed
        return self._deadlines.missed + max(0, by_process - self._covered)

    @property
    def process(self) -> SamplingProcess | None:
        """What reads; None where the thread does."""
        return self._process

    def start(self) -> Self:
        """Start the thread, and by it the process; once only."""
        if self._thread is not None:
            raise RuntimeError("a sampler is started once")
        if self._apart:
            with contextlib.suppress(OSError):  # no room for a ring: the thread reads
                self._process = SamplingProcess(self._interval_s, CAPACITY)
        self._thread = threading.Thread(target=self._run, name="orchestrator-sampler", daemon=True)
        self._thread.start()
        return self

    def watch(self, pid: int, slot: int = 0, *, private_every: int = 0) -> Watch:
        """Read ``pid`` once now and at every deadline from now on.

        ``private_every``: count its private pages too, at each so many readings, or more seldom where that takes more
        than a hundredth of the time; 0: never.

        Raises:
            ProcessGoneError: There is no such process.
        """
        watch = Watch(pid, slot, self._now_ns, self._hand_over, private_every)
        with self._change:
            if self._process is not None:
                try:
                    watch.number = self._process.watch(pid, every=private_every)
                except GoneError:
                    watch.close()
                    raise ProcessGoneError(pid) from None
            self._watches = (*self._watches, watch)
            if len(self._watches) == 1:
                self._nudge()
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Stop reading it: after the return no reading of it comes. Again is harmless."""
        self._hand_over()
        with self._change:
            self._watches = tuple(other for other in self._watches if other is not watch)
            if self._process is not None and watch.number is not None:
                self._process.unwatch(watch.number)
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
        """End thread and process, wait for both, close every descriptor.

        Raises:
            Exception: As :meth:`check`, once everything is closed.
        """
        self._stopping = True
        self._nudge()
        if self._thread is not None:
            self._thread.join()
        for watch in self._watches:
            self.unwatch(watch)
        with self._handing_over:
            process, self._process = self._process, None
            if process is not None:
                self._missed = process.missed
                process.close()
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

    # ------------------------------------------------------------------ what the process has read

    def _now_ns(self) -> int:
        return self._clock_ns() - self._origin_ns

    def _hand_over(self) -> None:
        """Give what the process has read by now to the watches. By any thread."""
        with self._handing_over:
            if self._process is None:
                return
            watches = {watch.number: watch for watch in self._watches}
            # Kept here before they count as taken, and until each is handed over: an interrupt in between repeats some,
            # which a watch knows by their time. One that strikes within a watch may keep that reading from the sink.
            self._process.take(self._came)
            while self._came:
                self._give(self._came[0], watches)
                self._came.popleft()

    def _give(self, reading: RingReading, watches: dict[int | None, Watch]) -> None:
        watch = watches.get(reading.who & layout.NUMBER)
        if watch is None:
            return
        if reading.who & layout.GONE:
            watch.found_gone()
        if reading.who > layout.NUMBER:
            return
        time_ns, _, rss, rss_anon, tree_rss, rss_shmem, _, private = reading
        row = RssReading(time_ns - self._origin_ns, rss, rss_anon, tree_rss, rss_shmem)
        watch.receive(row, private, None if self._sink is None else self._deliver)

    # ------------------------------------------------------------------ the thread's side

    def _nudge(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._wake.release()

    def _run(self) -> None:
        if self._process is not None:
            self._process.start()  # here, where no signal handler can strike between start and note
        self._deadlines.restart(self._clock_ns())
        while not self._stopping:
            try:
                self._hand_over_and_replace()
            except Exception as error:  # noqa: BLE001 - kept, and raised where the owner asks
                self._keep(error)
            if not self._watches:
                self._wake.acquire()
                self._deadlines.restart(self._clock_ns())
                continue
            if self._process is not None and self._process.serves():
                self._wake.acquire(timeout=HAND_OVER_S)
                self._deadlines.restart(self._clock_ns())
                continue
            if self._woken_early(self._deadlines.wait_ns(self._clock_ns()) / 1e9):
                continue
            self._keep_deadline()
            self._sample_all()

    def _keep_deadline(self) -> None:
        """Count as missed what nobody has read, once: a process that has read before counts its own."""
        before = self._deadlines.missed
        self._deadlines.keep(self._clock_ns())
        process = self._process
        if process is not None and process.has_served and process.given_up is None:
            self._deadlines.missed = before
            self._covered += 1

    def _hand_over_and_replace(self) -> None:
        self._hand_over()
        if self._process is not None:
            self._process.look_after()

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
        deliver = None if self._sink is None else self._deliver
        for index, watch in enumerate(watches):
            try:
                if not watch.sample(self._now_ns(), deliver, look=index == turn):
                    self._lose(watch)
            except Exception as error:  # noqa: BLE001 - kept, and raised where the owner asks
                self._keep(error)
                self._lose(watch)

    def _lose(self, watch: Watch) -> None:
        """Read no more what cannot be read."""
        with self._change:
            self._watches = tuple(other for other in self._watches if other is not watch)
            if self._process is not None and watch.number is not None:
                self._process.unwatch(watch.number)
        watch.close()

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

"""The sampling process: reads other processes at a fixed pace into a ring that its host maps too.

::

    host ── orders (socket) ──▶ select ─▶ each deadline: every watched process ─▶ ring ─▶ host
                                                     above a limit ─▶ alarm (eventfd) ─▶ host

It decides nothing. It ends when the host has closed its end of the socket, and the kernel kills it when the host is
gone (:mod:`orchestrator_worker.lifeline` says how), also while it is stopped. It ignores Ctrl-C and SIGTERM, which are
for the host.
"""

from __future__ import annotations

import _thread
import fcntl
import mmap
import os
import resource
import select
import time

from orchestrator.process.sampling import layout
from orchestrator.process.sampling.deadlines import Deadlines
from orchestrator.process.sampling.layout import ORDER, RECORD_BYTES, RECORD_WORDS
from orchestrator.process.sampling.proc_files import GoneError
from orchestrator.process.sampling.watched_process import Counting, WatchedProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the module proper makes enums of its numbers, which costs more than all the rest

_NICE = -10
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RingWriter:
    """The only writer of a ring. A ring that another process has begun is gone on with."""

    def __init__(self, descriptor: int, capacity: int) -> None:
        self._map = mmap.mmap(descriptor, layout.size_of(capacity))
        self._words = memoryview(self._map).cast("Q")
        self._capacity = capacity
        self._between = _thread.allocate_lock()
        self._between.acquire()
        self.head = self._words[layout.HEAD]

    def __getitem__(self, word: int) -> int:
        return self._words[word]

    def __setitem__(self, word: int, value: int) -> None:
        self._words[word] = value

    def add(self, *body: int) -> None:
        """Append one record: all fields but ``front`` and ``end``. See :mod:`.layout` for the order of the steps."""
        number = self.head + 1
        place = self.head % self._capacity
        first = layout.HEADER_WORDS + place * RECORD_WORDS
        words = self._words
        words[first] = number
        self._barrier()
        layout.BODY.pack_into(self._map, layout.HEADER_BYTES + place * RECORD_BYTES + layout.WORD, *body)
        self._barrier()
        words[first + RECORD_WORDS - 1] = number
        self._barrier()
        words[layout.HEAD] = self.head = number

    def _barrier(self) -> None:
        self._between.release()
        self._between.acquire()


class Program:
    """The loop of the process."""

    def __init__(self, ring: RingWriter, orders: int, alarm: int, interval_ns: int) -> None:
        self._ring = ring
        self._orders = orders
        self._alarm = alarm
        self._deadlines = Deadlines(interval_ns, time.monotonic_ns())
        self._deadlines.missed = ring[layout.MISSED]
        self._watched: list[WatchedProcess] = []
        self._paused = False
        self._budget = 0
        self._counting = Counting()

    def run(self) -> None:
        """Read and obey until the host is gone."""
        while True:
            timeout_s: float | None = None
            if self._watched and not self._paused:
                timeout_s = self._deadlines.wait_ns(time.monotonic_ns()) / 1e9
            if select.select([self._orders], [], [], timeout_s)[0]:
                order = os.read(self._orders, 64)
                if not order:
                    return
                self._obey(*ORDER.unpack(order))
                self._ring[layout.BEAT_NS] = time.monotonic_ns()
                if timeout_s is not None and self._deadlines.wait_ns(time.monotonic_ns()):
                    continue
                if timeout_s is None:
                    self._deadlines.restart(time.monotonic_ns())
                    continue
            self._deadlines.keep(time.monotonic_ns())
            self._round()

    def _obey(
        self, verb: int, accounting: int, every: int, number: int, pid: int, start: int, limit: int
    ) -> None:
        if verb == layout.WATCH:
            self._watch(number, pid, start, accounting, every, limit)
        elif verb == layout.UNWATCH:
            self._forget(number)
        elif verb == layout.BUDGET:
            self._budget = limit
        else:
            self._paused = verb == layout.PAUSE
        self._ring[layout.WATCHED] = len(self._watched)

    def _watch(self, number: int, pid: int, start: int, accounting: int, every: int, limit: int) -> None:
        try:
            self._watched.append(WatchedProcess(number, pid, start, accounting, every, limit))
        except GoneError:
            self._ring.add(time.monotonic_ns(), number | layout.GONE, 0, 0, 0, 0, 0, 0)
        except OSError:
            self._ring.add(time.monotonic_ns(), number | layout.REFUSED, 0, 0, 0, 0, 0, 0)

    def _forget(self, number: int) -> None:
        for process in self._watched:
            if process.number == number:
                self._watched.remove(process)
                process.close()
                return

    def _round(self) -> None:
        """Read each process once."""
        ring, others = self._ring, len(self._watched) - 1
        total, alarmed = 0, False
        for process in list(self._watched):
            now_ns = time.monotonic_ns()
            try:
                rss, anonymous, tree, shmem, held = process.read(now_ns, others)
            except GoneError:
                ring.add(now_ns, process.number | layout.GONE, 0, 0, 0, 0, 0, 0)
                self._forget(process.number)
                continue
            except OSError:  # no memory for the answer, perhaps: there is none at this deadline
                self._deadlines.missed += 1
                continue
            ring.add(now_ns, process.number, rss, anonymous, tree, shmem, held, process.private)
            total += held
            alarmed = alarmed or 0 < process.limit < held
            if process.wants_count():
                self._counting.put(process)
        if alarmed or 0 < self._budget < total:
            self._raise_alarm()
        ring[layout.MISSED] = self._deadlines.missed
        ring[layout.WATCHED] = len(self._watched)
        ring[layout.LOOKS] = self._counting.done
        ring[layout.BEAT_NS] = time.monotonic_ns()

    def _raise_alarm(self) -> None:
        try:
            os.eventfd_write(self._alarm, 1)
        except OSError:  # full: it was raised often enough
            return


def main(arguments: list[str]) -> None:
    """Run with the descriptors of ring, orders, alarm and lifeline, the interval in ns, and the ring's capacity."""
    ring, orders, alarm, lifeline, interval_ns, capacity = map(int, arguments)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    _die_with_the_host(lifeline)
    _allow_descriptors()
    _be_prompt()
    orders = os.dup(orders)  # the lowest number that is free: ``select`` knows none above 1,023
    Program(RingWriter(ring, capacity), orders, alarm, interval_ns).run()


def _die_with_the_host(lifeline: int) -> None:
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([os.dup(lifeline)], [], [], 0)[0]:  # it was gone before we were its owner
        os._exit(0)


def _allow_descriptors() -> None:
    """Two for each process and each of its descendants may be more than a host needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _be_prompt() -> None:
    """Come first among those who wait for a processor, where the system lets us: it is one or two percent of one."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    except OSError:
        return

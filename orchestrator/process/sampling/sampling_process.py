"""The host's end of a sampling process: started beside, given orders, looked after, replaced.

One for each pool and each experiment that samples, so that each has its own pace, its own end, and no one's fault is
another's (``docs/adr/0019-sampling-has-a-process-of-its-own.md``). It leads a process group of its own, its
standard input and outputs are closed, and the kernel kills it when this process is gone.

The process may die or be stopped like any other. Whoever reads asks :meth:`SamplingProcess.serves` and reads by itself
while the answer is no; :meth:`SamplingProcess.look_after` puts another process in its place, which goes on in the same
ring. Deadlines that passed meanwhile are counted as missed.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InterpreterError
from orchestrator.process.exit_status import describe_exit
from orchestrator.process.host.interpreter import worker_python
from orchestrator.process.pulse import read_pulse
from orchestrator.process.sampling import layout
from orchestrator.process.sampling.layout import ORDER
from orchestrator.process.sampling.proc_files import GoneError, start_ticks
from orchestrator.process.sampling.ring import Ring, RingReading
from orchestrator.process.uninterrupted import close_all

log = logging.getLogger("orchestrator.sampling")
_MAIN = Path(__file__).with_name("__main__.py")
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME")
_FLAGS = ("-P", "-S", "-s", "-B")
"""No site-packages: nothing of them is imported, and a pth file could import anything."""
LATE_INTERVALS = 10
LATE_NS = 200_000_000
"""A process that has not read for so long, and for so many intervals, does not serve any more."""
HOPELESS_NS = 5_000_000_000
"""One that has not for so long is replaced whatever it does. On a busy machine a process may wait for its turn."""
BOOT_NS = 10_000_000_000
MOST_DEATHS = 5
DEATHS_WITHIN_NS = 60_000_000_000
_END_S = 5.0


def why_not() -> str | None:
    """Return why this system can have no sampling process; None: it can."""
    if sys.platform != "linux" or not hasattr(os, "memfd_create") or not hasattr(os, "eventfd"):
        return "the system has no /proc and shared memory as Linux has them"
    return None


@dataclass(frozen=True)
class _Order:
    pid: int
    start: int
    accounting: int
    every: int
    limit: int


class SamplingProcess:
    """A sampling process, and the ring in which its readings are. Any thread may call; no call blocks for long."""

    def __init__(self, interval_s: float, capacity: int, python: str | None = None) -> None:
        """Prepare the ring; :meth:`start` starts the process. ``python``: as for a pool's workers.

        Raises:
            OSError: The system has no descriptors or no memory left.
        """
        self._interval_ns = round(interval_s * 1e9)
        self._python = python
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._ring = Ring(capacity)
        self._alarm: list[int] = []
        self._lifeline: list[int] = []
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: dict[int, _Order] = {}
        self._next_number = 0
        self._paused = False
        self._budget = 0
        self._unheard = False
        self._quiet_since_ns = 0
        self._ordered_ns = 0
        self._deaths: deque[int] = deque(maxlen=MOST_DEATHS)
        self._missed_between = 0
        self._gap_ns: int | None = None
        self.given_up: str | None = None
        """Why no process is started any more; None while one is there or will be."""
        _all.add(self)

    # ------------------------------------------------------------------ the process

    @property
    def pid(self) -> int | None:
        """The number of the process; None when there is none."""
        return None if self._process is None else self._process.pid

    @property
    def alarm(self) -> int:
        """An eventfd that is readable after a limit was passed; -1 before the start and after the end."""
        return self._alarm[0] if self._alarm else -1

    def start(self) -> bool:
        """Start the process; it reads some hundredths of a second later. Never raises: False, and why is said once."""
        with self._lock:
            if self.given_up is None and self._process is None:
                try:
                    self._start()
                except (OSError, MemoryError, InterpreterError) as error:
                    self._give_up(str(error) or "no memory")
            return self.given_up is None

    def _start(self) -> None:
        if not self._alarm:
            self._alarm.extend(map(os.eventfd, (0,), (os.EFD_NONBLOCK | os.EFD_CLOEXEC,)))
        program = self._python or worker_python()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            held, lifeline = os.pipe()
        except OSError:
            ours.close()
            theirs.close()
            raise
        passed = (self._ring.descriptor, theirs.fileno(), self.alarm, held)
        numbers = map(str, (*passed, self._interval_ns, self._ring.capacity))
        try:
            self._process = subprocess.Popen(
                [program, *_FLAGS, str(_MAIN), *numbers],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=passed,
                env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ},
                process_group=0,
            )
        except BaseException:
            ours.close()
            os.close(lifeline)
            raise
        finally:
            theirs.close()
            os.close(held)
        ours.setblocking(False)
        self._channel, self._lifeline = ours, [lifeline]
        self._unheard = False
        self._quiet_since_ns = time.monotonic_ns()
        if self._budget:
            self._send(layout.BUDGET, limit=self._budget)
        for number, order in self._orders.items():
            self._order(number, order)
        if self._paused:
            self._send(layout.PAUSE)

    def _give_up(self, why: str) -> None:
        self._end_gap(time.monotonic_ns())
        self.given_up = why
        log.warning("memory is sampled by a thread of this process, which a busy interpreter delays: %s", why)

    # ------------------------------------------------------------------ orders

    def watch(self, pid: int, *, accounting: int = layout.PLAIN, every: int = 0, limit: int = 0) -> int:
        """Have a process read at every deadline; return the watch's number, never given twice.

        ``accounting`` and ``every`` (count private or shared pages at each so many readings; 0: never) as in
        :mod:`.layout`; ``limit``: bytes of ``held`` above which the alarm is raised at each reading, 0: none.

        Raises:
            GoneError: There is no such process.
        """
        order = _Order(pid, start_ticks(pid), accounting, every, limit)
        with self._lock:
            self._next_number += 1
            if not self._orders:
                self._quiet_since_ns = time.monotonic_ns()
            self._orders[self._next_number] = order
            self._order(self._next_number, order)
            return self._next_number

    def _order(self, number: int, order: _Order) -> None:
        self._send(layout.WATCH, order.accounting, order.every, number, order.pid, order.start, order.limit)

    def unwatch(self, number: int) -> None:
        """Have it read no more; again is harmless. A reading may still come that was under way."""
        with self._lock:
            if self._orders.pop(number, None) is not None:
                self._send(layout.UNWATCH, number=number)

    def pause(self) -> None:
        """Have nothing read until :meth:`resume`; the process sleeps."""
        with self._lock:
            if not self._paused:
                self._send(layout.PAUSE)
                self._paused = True

    def resume(self) -> None:
        """Have all read again, from an interval from now on."""
        with self._lock:
            if self._paused:
                self._send(layout.RESUME)
                self._quiet_since_ns = time.monotonic_ns()
                self._paused = False  # last: should an interrupt come between, it is sent again

    def keep_below(self, limit: int) -> None:
        """Raise the alarm too when all that is held together is above ``limit`` bytes."""
        with self._lock:
            self._budget = limit
            self._send(layout.BUDGET, limit=limit)

    def _send(
        self,
        verb: int,
        accounting: int = 0,
        every: int = 0,
        number: int = 0,
        pid: int = 0,
        start: int = 0,
        limit: int = 0,
    ) -> None:
        if self._channel is None:
            return
        self._ordered_ns = time.monotonic_ns()
        try:
            self._channel.send(ORDER.pack(verb, accounting, every, number, pid, start, limit))
        except OSError:
            self._unheard = True  # dead, or stopped for long: replaced by one that hears all orders

    # ------------------------------------------------------------------ readings

    def take(self, into: deque[RingReading] | None = None) -> list[RingReading]:
        """Return the readings since the last call, oldest first; ``into`` as for :meth:`.Ring.take`."""
        with self._lock:
            readings = self._ring.take(into)
            if self._gap_ns is not None:
                self._end_gap(
                    next((one.time_ns for one in readings if one.time_ns > self._quiet_since_ns), None)
                )
            for reading in readings:
                if reading.who > layout.NUMBER:
                    self._ended(reading)
            return readings

    def _end_gap(self, first_ns: int | None) -> None:
        """Count what was missed from the last reading of a process that failed to the first one of the next."""
        if first_ns is not None and self._gap_ns is not None:
            self._missed_between += max(0, (first_ns - self._gap_ns) // self._interval_ns - 1)
            self._gap_ns = None

    def _ended(self, reading: RingReading) -> None:
        order = self._orders.pop(reading.who & layout.NUMBER, None)
        if order is not None and reading.who & layout.REFUSED and self.given_up is None:
            self._end()
            self._give_up(f"the sampling process could not open the files of process {order.pid}")

    @property
    def ring(self) -> Ring:
        """The ring itself."""
        return self._ring

    @property
    def missed(self) -> int:
        """Deadlines at which a reading is missing: the process came late, was gone, or its record was overwritten."""
        with self._lock:
            gap_ns = 0 if self._gap_ns is None else time.monotonic_ns() - self._gap_ns
            between = self._missed_between + max(0, gap_ns // self._interval_ns - 1)
            return self._ring[layout.MISSED] + between + self._ring.overwritten

    @property
    def has_served(self) -> bool:
        """Whether the process, or one before it, has read anything."""
        return self._ring[layout.HEAD] > 0

    def _late_ns(self, now_ns: int) -> int:
        """Return for how long it has not read although there is something to read."""
        if self._paused or not self._orders:
            return 0
        if self._ring[layout.BEAT_NS] > self._ordered_ns and not self._ring[layout.WATCHED]:
            return 0  # all that it was to read is gone
        return now_ns - max(self._ring[layout.BEAT_NS], self._quiet_since_ns)

    def serves(self) -> bool:
        """Whether readings come, so that nobody else need read."""
        with self._lock:
            now_ns = time.monotonic_ns()
            late_ns = self._late_ns(now_ns)
            return (
                self._process is not None
                and not self._unheard
                and self._ring[layout.BEAT_NS] >= self._quiet_since_ns
                and late_ns < max(LATE_NS, LATE_INTERVALS * self._interval_ns)
            )

    # ------------------------------------------------------------------ deaths

    def look_after(self) -> None:
        """Replace the process where it is dead or stopped. To be called now and then."""
        with self._lock:
            if self._process is None or self.given_up is not None or os.getpid() != self._owner:
                return
            now_ns = time.monotonic_ns()
            words = self._failure(now_ns)
            if words is None:
                return
            if self._orders and not self._paused and self._gap_ns is None:
                self._gap_ns = max(self._ring[layout.BEAT_NS], self._quiet_since_ns)
            self._end()
            if len(self._deaths) == MOST_DEATHS and now_ns - self._deaths[0] < DEATHS_WITHIN_NS:
                self._give_up(f"the sampling process failed {MOST_DEATHS} times within a minute: {words}")
                return
            if not self._deaths:
                log.warning("the sampling process %s: another one takes its place", words)
            self._deaths.append(now_ns)
            self.start()

    def _failure(self, now_ns: int) -> str | None:
        assert self._process is not None
        if (status := self._process.poll()) is not None:
            return f"ended ({describe_exit(status)})"
        late_ns = self._late_ns(now_ns)
        if late_ns < max(LATE_NS, LATE_INTERVALS * self._interval_ns) and not self._unheard:
            return None
        booting = self._ring[layout.BEAT_NS] < self._quiet_since_ns
        if late_ns > (BOOT_NS if booting else HOPELESS_NS) + LATE_INTERVALS * self._interval_ns:
            return f"did not read for {late_ns / 1e9:.3g} s"
        pulse = read_pulse(self._process.pid)
        if pulse is not None and pulse.state in {"T", "t"}:
            return "was stopped"
        return "does not take orders" if self._unheard else None

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        process, self._process = self._process, None
        if process is not None:
            # At once: it has nothing to tidy up, and may be stopped.
            with suppress(ProcessLookupError):
                process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
        close_all(self._lifeline)

    def close(self) -> None:
        """End the process and let the ring go; again is harmless. Readings not taken are lost."""
        with self._lock:
            self.given_up = self.given_up or "it is closed"
            self._end()
            self._release()

    def _release(self) -> None:
        close_all(self._alarm)
        close_all(self._lifeline)
        self._ring.close()

    def forget(self) -> None:
        """Close our ends in a forked copy of the host, which must not keep the process alive, and is not its parent."""
        self._lock = threading.RLock()
        self.given_up = "this is a forked copy of the process that sampled"
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.returncode = 0
            self._process = None
        self._release()


_all: weakref.WeakSet[SamplingProcess] = weakref.WeakSet()


def _forget_in_forked_copy() -> None:
    for each in list(_all):
        each.forget()


os.register_at_fork(after_in_child=_forget_in_forked_copy)

__all__ = ["GoneError", "SamplingProcess", "why_not"]

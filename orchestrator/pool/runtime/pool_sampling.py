"""A pool's readings by a process of its own, so that a busy interpreter misses none.

::

    sampling process ── ring ──▶ gather, once a look of the pool ──▶ Sampled, one for each worker ──▶ link.readings
           └── above a limit ──▶ alarm, which wakes the pool's loop: it looks at once

The process is started once the pool has worked for :data:`START_AFTER_S`: a pool that is over by then need not pay for
it. Until then, while the process does not answer, and where there can be none, the loop reads by itself at each look.
An idle pool looks at nothing, and has the process sleep.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress

from orchestrator.process.sampling import layout
from orchestrator.process.sampling.proc_files import GoneError
from orchestrator.process.sampling.sampling_process import SamplingProcess, why_not

START_AFTER_S = 0.2
COUNT_EVERY = 10
"""Private and shared pages are counted at each so many readings."""
KEPT = 1024
"""Readings that may wait for each worker: 20 s of them, in which a debugger may hold the host."""


class Sampled:
    """One worker's readings that nobody has looked at yet."""

    __slots__ = ("number", "readings")

    def __init__(self, number: int) -> None:
        self.number = number
        self.readings: deque[tuple[float, int]] = deque(maxlen=KEPT)

    def take(self) -> list[tuple[float, int]]:
        """Return when each was taken, as ``time.monotonic``, and its bytes; oldest first."""
        readings = list(self.readings)
        self.readings.clear()
        return readings


class PoolSampling:
    """The sampling of one pool. For the thread that decides."""

    def __init__(
        self, interval_s: float, workers: int, *, budget_bytes: int = 0, python: str | None = None
    ) -> None:
        """``budget_bytes``: raise the alarm when all workers together are above it; 0: never."""
        self.interval_s = interval_s
        self._capacity = KEPT * max(1, workers)
        self._budget_bytes = budget_bytes
        self._python = python
        self._process: SamplingProcess | None = None
        self._impossible = why_not() is not None
        self._sampled: dict[int, Sampled] = {}
        self._looked_at: float | None = None
        self._worked_s = 0.0
        self._missed_by_loop = 0

    @property
    def process(self) -> SamplingProcess | None:
        """What reads; None as long as the loop does."""
        return self._process

    @property
    def alarm(self) -> int:
        """An eventfd that becomes readable when a limit was passed; -1 where there is none."""
        return -1 if self._process is None else self._process.alarm

    @property
    def missed(self) -> int:
        """Deadlines without a reading while the pool worked."""
        return self._missed_by_loop + (0 if self._process is None else self._process.missed)

    def gather(self, now: float) -> bool:
        """Take what was read since the last call; True when the process has just been started."""
        process = self._process
        elapsed_s = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        self._worked_s += elapsed_s
        if process is None or process.given_up is not None:
            self._missed_by_loop += max(0, int(elapsed_s / self.interval_s) - 1)
            return process is None and self._start()
        process.resume()
        self.collect()
        process.look_after()
        return False

    def collect(self) -> None:
        """Hand what was read to the workers' :class:`Sampled`."""
        if self._process is None:
            return
        for reading in self._process.take():
            sampled = self._sampled.get(reading.who & layout.NUMBER)
            if sampled is not None and reading.who <= layout.NUMBER:
                sampled.readings.append((reading.time_ns / 1e9, reading.held))

    def _start(self) -> bool:
        if self._impossible or self._worked_s < START_AFTER_S:
            return False
        try:
            self._process = SamplingProcess(self.interval_s, self._capacity, self._python)
        except OSError:  # no descriptor, no memory for the ring: the loop goes on reading
            self._impossible = True
            return False
        if self._budget_bytes:
            self._process.keep_below(self._budget_bytes)
        return self._process.start()

    def rest(self) -> None:
        """Nothing is to be read until :meth:`resume`, or the next :meth:`gather`."""
        self._looked_at = None
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Somebody works again. Whoever gives the first job does this: the thread that looks may be held up."""
        if self._process is not None:
            self._process.resume()

    def watch(self, pid: int, *, warm: bool, limit_bytes: int | None) -> Sampled | None:
        """Have a worker read; None where nobody but the loop reads."""
        process = self._process
        if process is None or process.given_up is not None:
            return None
        accounting = layout.PRIVATE if warm else layout.FAMILY
        with suppress(GoneError, OSError):  # its death is heard of in a moment
            number = process.watch(pid, accounting=accounting, every=COUNT_EVERY, limit=limit_bytes or 0)
            sampled = self._sampled[number] = Sampled(number)
            return sampled
        return None

    def unwatch(self, sampled: Sampled) -> None:
        """Have it read no more."""
        if self._sampled.pop(sampled.number, None) is not None and self._process is not None:
            self._process.unwatch(sampled.number)

    def is_fresh(self, readings: list[tuple[float, int]]) -> bool:
        """Whether the newest of them is young enough to decide by."""
        return bool(readings) and time.monotonic() - readings[-1][0] < 2 * self.interval_s

    def close(self) -> None:
        """End the process."""
        self._impossible = True
        process, self._process = self._process, None
        if process is not None:
            self._missed_by_loop += process.missed
            process.close()

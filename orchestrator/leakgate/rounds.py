"""How many calls, and when it is enough: call until growth could be seen, and on until it cannot be taken for a cache.

::

    range    blocks of 1, 1, 2, 4 … calls, until a block takes long enough, or leaves much behind
    round    as many readings as were asked for, each after a block of that many calls  ->  judged
    again    clean, but the blocks were short because something grew then:  larger blocks
             growth:    the same again, until a cache of some thousand entries would be full
             open:      twice as many calls
    end      settled, or no time or memory left for another round

A cache that fills, a pool that opens and a buffer that finds its size grow in an early round and stand still in a
later one; a leak goes on. Only the last round is judged, the calls before it are its warm-up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from orchestrator.analysis.judging.channel import FEWEST_ITERATIONS
from orchestrator.leakgate.call_session import BlockReading, CallSession

MOST_CALLS = 10_000
"""Calls in a block: by then a byte a call shows, and more would find what nobody means by a leak."""
ENOUGH_CALLS = 100
"""Calls in a block that make 2 KB of growth a block less than the smallest object a call."""
SHORT_BLOCK_S = 0.03
LONG_BLOCK_S = 0.1
"""A block is long enough from the first on if it has enough calls, and from the second on in any case."""
GROWTH_A_BLOCK = 1 << 18
"""Bytes kept by a block of calls that need no more calls to be seen."""
MOST_GROWTH = 256 << 20
"""Bytes that a function under suspicion may take before we believe it."""
LEAK_CALLS = 2000
"""Calls after which growth that goes on is no cache that fills; fewer when time or memory is at its end."""
MOST_COUNT = 200
MOST_CHILDREN = 40
"""Descriptors, threads and segments that a check may gather, far below the usual limits; children weigh more."""
_LATE = 1.5
"""A round that was thought to fit is cut short after so many times the time allowed."""
_STEP = 4

Answer = Literal["clean", "growing", "open"]


@dataclass(frozen=True)
class Round:
    """The readings of one round, ``calls`` calls before each; ``before`` is how many calls came before all of them.

    ``whole``: it has all its readings. One that was cut short shows growth, but too little to overrule a whole one.
    """

    calls: int
    before: int
    readings: Sequence[BlockReading]
    whole: bool = True


class Rounds:
    """Runs rounds on a session until ``judge`` has settled the last one, or the time is over.

    Args:
        session: The worker.
        readings: Readings a round.
        max_time_s: Seconds for all of it; the first round is finished in any case.
        judge: Says whether a round is clean, shows growth, or leaves it open.
    """

    def __init__(
        self,
        session: CallSession,
        *,
        readings: int,
        max_time_s: float,
        judge: Callable[[Round], Answer],
    ) -> None:
        self._session = session
        self._readings = readings
        self._max_time_s = max_time_s
        self._judge = judge
        self._began = time.monotonic()
        self._start: BlockReading | None = None
        self._cost_s = 0.0
        self._overhead_s = 0.0

    def run(self, first: BlockReading) -> Round:
        """Return the last round; ``first`` was read after the first call, with all that is set up there."""
        self._start = first
        calls = self._range()
        growing = 0
        while True:
            round_ = self._round(calls)
            answer = self._judge(round_)
            growing = growing + 1 if answer == "growing" else 0
            wanted = self._next(round_, answer, growing)
            if wanted is None:
                return round_
            calls = wanted

    # ------------------------------------------------------------------ how many calls a block

    def _range(self) -> int:
        """Return how many calls a block of the first round has."""
        calls, last, kept_before = 1, self._block(1), False
        while not self._long_enough(calls):
            found = self._block(calls)
            kept = _keeps_much(last, found)
            if kept and kept_before:
                return self._careful(calls, last, found)
            last, kept_before = found, kept
            if not kept:
                calls = min(MOST_CALLS, calls * self._factor(last))
        return calls

    def _long_enough(self, calls: int) -> bool:
        seconds = self._cost_s * calls
        enough = calls >= ENOUGH_CALLS and seconds >= SHORT_BLOCK_S
        return enough or calls >= MOST_CALLS or 2 * seconds > self._longest_s

    @property
    def _longest_s(self) -> float:
        return min(LONG_BLOCK_S, 0.5 * self._max_time_s / self._readings)

    def _factor(self, block: BlockReading) -> int:
        return _STEP if block.seconds * _STEP < SHORT_BLOCK_S else 2

    @staticmethod
    def _careful(calls: int, before: BlockReading, now: BlockReading) -> int:
        """Return fewer calls where a block opens so many things that a round would meet a limit of the process."""
        most = max(_gains(before, now), default=0)
        return max(1, calls * 2 // most) if most > 2 else calls

    # ------------------------------------------------------------------ rounds

    def _round(self, calls: int) -> Round:
        before = self._session.calls
        readings: list[BlockReading] = []
        for _ in range(self._readings):
            readings.append(self._block(calls))
            if len(readings) >= FEWEST_ITERATIONS and self._spent(calls, readings[-1]):
                break
        return Round(calls, before, readings, whole=len(readings) == self._readings)

    def _spent(self, calls: int, last: BlockReading) -> bool:
        """Whether to end a round before its time: memory runs out, or calls have become much slower than they were."""
        late = calls > 1 and time.monotonic() - self._began > _LATE * self._max_time_s
        return late or self._grown(last) >= 2 * MOST_GROWTH

    def _next(self, done: Round, answer: Answer, growing: int) -> int | None:
        """Return how many calls a block of another round has, None to stop."""
        last = done.readings[-1]
        if answer == "clean":
            wanted = self._largest_block(done.calls)
            return wanted if wanted >= 2 * done.calls else None
        if self._grown(last) >= MOST_GROWTH or self._gathered_enough(last):
            return None
        if answer == "growing" and growing > 1 and self._session.calls >= LEAK_CALLS:
            return None
        few = self._session.calls < LEAK_CALLS or answer == "open"
        wanted = done.calls * 2 if few and not self._counts_grow(done) else done.calls
        wanted = min(wanted, MOST_CALLS)
        return next((each for each in (wanted, done.calls) if self._fits(each)), None)

    def _largest_block(self, calls: int) -> int:
        """Return how many calls a block would have had if nothing had grown at first, as far as there is time."""
        wanted = min(MOST_CALLS, max(int(SHORT_BLOCK_S / max(self._cost_s, 1e-9)), ENOUGH_CALLS))
        wanted = min(wanted, max(1, int(self._longest_s / max(self._cost_s, 1e-9))))
        while wanted > calls and not self._fits(wanted):
            wanted //= 2
        return wanted

    def _fits(self, calls: int) -> bool:
        """Whether a round of such blocks ends before the time does."""
        left = self._max_time_s - (time.monotonic() - self._began)
        return self._readings * (calls * self._cost_s + self._overhead_s) <= left

    def _block(self, calls: int) -> BlockReading:
        found = self._session.run(calls, self._cost_s * calls)
        self._cost_s = found.seconds / calls
        self._overhead_s = max(0.0, found.wall_s - found.seconds)
        return found

    def _grown(self, block: BlockReading) -> int:
        assert self._start is not None
        return max(block.live - self._start.live, block.memory.rss - self._start.memory.rss)

    def _gathered_enough(self, block: BlockReading) -> bool:
        assert self._start is not None
        children = (block.resources.children or 0) - (self._start.resources.children or 0)
        return max(_gains(self._start, block), default=0) >= MOST_COUNT or children >= MOST_CHILDREN

    @staticmethod
    def _counts_grow(done: Round) -> bool:
        return any(gain >= len(done.readings) // 2 for gain in _gains(done.readings[0], done.readings[-1]))


def _keeps_much(before: BlockReading, now: BlockReading) -> bool:
    """Whether a block has left behind what needs no more calls to be seen."""
    return now.live - before.live >= GROWTH_A_BLOCK or any(gain > 0 for gain in _gains(before, now))


def _gains(before: BlockReading, now: BlockReading) -> list[int]:
    """Return by how much each resource has become more."""
    pairs = [
        (getattr(before.resources, one.name), getattr(now.resources, one.name))
        for one in fields(now.resources)
    ]
    return [after - then for then, after in pairs if then is not None and after is not None]

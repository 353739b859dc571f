"""What tests of the process that samples share: patience, and the readings so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.process.sampling import layout
from orchestrator.process.sampling.ring import RingReading
from orchestrator.process.sampling.sampling_process import SamplingProcess

PATIENCE_S = 30.0
PACE_S = 0.005


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)


def catch_up(process: SamplingProcess) -> None:
    """Wait until every deadline up to now has its reading or is counted as missed, however late the process is.

    Two rounds must end: one may be under way, and has counted at its beginning.
    """
    for _ in range(2):
        now_ns = time.monotonic_ns()
        wait_until(lambda now_ns=now_ns: process.ring[layout.BEAT_NS] > now_ns)


class Taken:
    """All readings so far."""

    def __init__(self, process: SamplingProcess) -> None:
        self._process = process
        self.readings: list[RingReading] = []

    def first(self, wanted: Callable[[RingReading], bool]) -> RingReading:
        """Return the first reading that is as wanted, of those that were not looked at yet."""
        found: list[RingReading] = []

        def look() -> bool:
            came = self._process.take()
            self.readings += came
            found.extend(filter(wanted, came))
            return bool(found)

        wait_until(look)
        return found[0]

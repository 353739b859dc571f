"""What tests of the process that samples share: patience, and the readings so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.process.sampling.ring import RingReading
from orchestrator.process.sampling.sampling_process import SamplingProcess

PATIENCE_S = 30.0
PACE_S = 0.005


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)


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

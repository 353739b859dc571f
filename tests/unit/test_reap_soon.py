"""A killed process that takes long to end holds up nobody, and is reaped all the same."""

import subprocess
import threading
from typing import Any

from orchestrator.process.warm.template import reap_soon


class Slow:
    def __init__(self) -> None:
        self.may_end, self.reaped = threading.Event(), threading.Event()

    def wait(self, timeout: float | None = None) -> int:
        if timeout is not None:
            raise subprocess.TimeoutExpired("template", timeout)
        self.may_end.wait()
        self.reaped.set()
        return -9


def test_it_is_reaped_beside_whoever_killed_it() -> None:
    process: Any = Slow()
    reap_soon(process)
    assert not process.reaped.is_set()
    process.may_end.set()
    assert process.reaped.wait(30)

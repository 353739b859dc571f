"""Which processes stand still on a lock that nobody can release, as seen from outside."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from told_by_kernel import sleep_is_told

from orchestrator.process.warm.stuck import read_standstill

PATIENCE_S = 60.0
pytestmark = pytest.mark.usefixtures("nothing_left")
BEGIN = """
import os, sys, threading, time
lock = threading.Lock()
lock.acquire()
# As a worker has them: one that beats, and one that waits for its parent's end.
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
threading.Thread(target=os.read, args=(os.pipe()[0], 1), daemon=True).start()
print(flush=True)
"""
STUCK = {
    "a lock": "lock.acquire()",
    "an event": "threading.Event().wait()",
    "a condition": "condition = threading.Condition()\nwith condition: condition.wait()",
}
GOES_ON = {
    "a lock, for a while": "lock.acquire(timeout=600)",
    "an event, for a while": "threading.Event().wait(600)",
    "the clock": "time.sleep(600)",
    "what it is told": "sys.stdin.read()",
    "a thread that is told": "threading.Thread(target=sys.stdin.read, daemon=True).start()\nlock.acquire()",
    "a thread that waits for a while": (
        "threading.Thread(target=threading.Event().wait, args=(600,), daemon=True).start()\nlock.acquire()"
    ),
    "a child": "import subprocess\nsubprocess.Popen([sys.executable, '-c', 'input()'])\nlock.acquire()",
}


@contextmanager
def asleep(does: str) -> Iterator[int]:
    """Yield the number of a process whose main thread sleeps in what it does."""
    command = [sys.executable, "-c", BEGIN + does]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def times_seen(pid: int, *, stuck: bool) -> list[int | None]:
    """Look until it is so, and then a few times more: it may be on its way there."""
    deadline = time.monotonic() + PATIENCE_S
    while (read_standstill(pid) is not None) is not stuck:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)
    return [read_standstill(pid) for _ in range(3)]


@pytest.fixture(autouse=True)
def told() -> None:
    if not sleep_is_told():
        pytest.skip("this kernel does not tell in what a process sleeps (/proc/PID/wchan)")


@pytest.mark.parametrize("does", STUCK)
def test_one_that_waits_for_nothing_but_a_lock_stands_still(does: str) -> None:
    with asleep(STUCK[does]) as pid:
        seen = times_seen(pid, stuck=True)
    assert len(set(seen)) == 1
    assert None not in seen


@pytest.mark.parametrize("does", GOES_ON)
def test_one_that_waits_for_what_can_come_does_not(does: str) -> None:
    with asleep(GOES_ON[does]) as pid:
        if "while" in does and not _limit_is_told(pid):
            pytest.skip("this system does not let us see until when a process waits (/proc/PID/syscall)")
        assert set(times_seen(pid, stuck=False)) == {None}


def _limit_is_told(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/syscall").read_text())
    except OSError:
        return False

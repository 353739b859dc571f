"""How a process ended whose parent is gone: told by its line in /proc, or by its pidfd."""

import os
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from told_by_kernel import surely_told

from orchestrator.process import orphans
from orchestrator.process.orphans import orphan_status

pytestmark = pytest.mark.skipif(
    not (hasattr(os, "pidfd_open") and Path("/proc/self/stat").exists()), reason="needs pidfds and /proc"
)
ENDS = [
    ("os._exit(7)", 7),
    ("os._exit(255)", 255),
    ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
    ("os._exit(0)", 0),
]


def started(does: str, inherited: int) -> int:
    """Start an orphan that waits for the end of a pipe and then ends so; return its number."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = os.fork()
        if child == 0:
            os.dup2(inherited, 0)
            os.execv(sys.executable, [sys.executable, "-c", f"import os; os.read(0, 1); {does}"])
        os.write(writer, str(child).encode())
        os._exit(0)
    pid = int(os.read(reader, 32))
    os.close(reader)
    os.close(writer)
    os.waitpid(parent, 0)
    return pid


@pytest.fixture
def gate() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_inheritable(writer, False)
    yield reader, writer
    for descriptor in (reader, writer):
        os.close(descriptor)


@pytest.mark.parametrize(("does", "status"), ENDS)
def test_it_is_told_whoever_reaps_it(does: str, status: int, gate: tuple[int, int]) -> None:
    pid = started(does, gate[0])
    pidfd = os.pidfd_open(pid)
    os.write(gate[1], b"x")
    select.select([pidfd], [], [])
    assert orphan_status(pid, pidfd) in ({status} if surely_told() else {status, None})
    os.close(pidfd)


@pytest.mark.parametrize(("does", "status"), ENDS)
def test_a_zombie_tells_by_its_line_and_one_that_was_reaped_by_its_pidfd(does: str, status: int) -> None:
    child = os.fork()
    if child == 0:
        exec(does)
    pidfd = os.pidfd_open(child)
    select.select([pidfd], [], [])
    raw = orphans._of_a_zombie(child, pidfd)
    assert raw is not None
    assert os.waitstatus_to_exitcode(raw) == status
    os.waitpid(child, 0)
    assert orphans._of_a_zombie(child, pidfd) is None
    told, final = orphans._of_a_pidfd(pidfd)
    if told is None:
        assert final, "a kernel before 6.15"
        assert orphan_status(child, pidfd) is None
    else:
        assert orphan_status(child, pidfd) == status
    os.close(pidfd)


def test_nothing_is_made_up() -> None:
    assert orphan_status(os.getpid(), -1) is None

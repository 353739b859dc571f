"""What this kernel tells or allows, and an older one, a hardened one or that of some containers does not."""

import functools
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.process import orphans

PATIENCE_S = 10.0


@functools.cache
def surely_told() -> bool:
    """Whether it tells for certain how a process ended whose parent was gone: by a pidfd, also when it was reaped.

    So from Linux 6.15 on. Elsewhere it is told or not, by who is quicker: the system's first process that reaps it, or
    the look at its line.
    """
    child = os.fork()
    if child == 0:
        os._exit(7)
    pidfd = os.pidfd_open(child)
    try:
        select.select([pidfd], [], [])
        os.waitpid(child, 0)
        return orphans._of_a_pidfd(pidfd)[0] is not None
    finally:
        os.close(pidfd)


@functools.cache
def sleep_is_told() -> bool:
    """Whether it tells in what a process sleeps; asked of one that waits for its standard input."""
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        place, ends_s = Path(f"/proc/{child.pid}/wchan"), time.monotonic() + PATIENCE_S
        try:
            while (told := place.read_text()) in {"", "0"} and time.monotonic() < ends_s:
                time.sleep(0.01)  # it is on its way to where it will sleep
            return told not in {"", "0"}
        except OSError:
            return False
        finally:
            child.communicate(b"\n")


_ASKS = """
import os
from orchestrator_worker.sandbox.kernel import give_up_new_privileges, install_filter_that_asks
from orchestrator_worker.sandbox.seccomp import filter_program
give_up_new_privileges()
program = filter_program(os.uname().machine, os.getpid(), signals=False, asks=True)
try:
    install_filter_that_asks(program)
except OSError as error:
    os._exit(error.errno)
"""


@functools.cache
def filter_may_ask() -> bool:
    """Whether a process may have a filter whose questions another one answers.

    There is one at most for each process, and that of a container may be taken by what runs it (EBUSY).
    """
    asked = subprocess.run([sys.executable, "-c", _ASKS], capture_output=True, text=True, check=False)
    assert not asked.stderr, asked.stderr
    return asked.returncode == 0

"""What this kernel tells of a process that is not ours, which an older one or a hardened one does not."""

import functools
import os
import select
import subprocess
import sys
from pathlib import Path

from orchestrator.process import orphans


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
        proc = Path(f"/proc/{child.pid}")
        while proc.joinpath("stat").read_text().rpartition(")")[2].split()[0] != "S":
            os.sched_yield()
        try:
            return proc.joinpath("wchan").read_text() not in {"", "0"}
        except OSError:
            return False
        finally:
            child.communicate(b"\n")

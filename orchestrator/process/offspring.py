"""A started worker as the system sees it: has it ended, and how. Two kinds, by who its parent process is."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from typing import Literal, Protocol

from orchestrator.errors import SHORTAGES
from orchestrator.process.fork_server import ForkServer
from orchestrator.process.orphans import orphan_status

LOST_STATUS = 255
"""Exit status of a worker whose fork server was lost, where the system does not tell how it ended."""


class Offspring(Protocol):
    """One process. Until it is reaped its number belongs to it, dead or alive."""

    pid: int
    start: Literal["exec", "fork", "warm"]
    """How it began: a new interpreter, a copy of a fork server, or one of a template, which has its model loaded."""

    def has_exited(self, pidfd: int) -> bool:
        """Whether it has ended; it stays to be reaped."""
        ...

    def wait(self, pidfd: int) -> None:
        """Block until it has ended; it stays to be reaped."""
        ...

    def reap(self, pidfd: int) -> int:
        """Return the exit status as ``Popen.returncode``; blocks until it has ended."""
        ...


class ExecutedChild:
    """A child of this process."""

    start: Literal["exec", "fork", "warm"] = "exec"

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def has_exited(self, pidfd: int) -> bool:  # noqa: ARG002 - the system tells of a child without it
        """Whether it has ended."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True  # somebody else in this process reaped it

    def wait(self, pidfd: int) -> None:  # noqa: ARG002
        """Block until it has ended."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def reap(self, pidfd: int) -> int:  # noqa: ARG002
        """Return the exit status."""
        return self._process.wait()


class ForkedChild:
    """A child of the fork server, which keeps it as a zombie until it is reaped. Needs a pidfd to be watched."""

    start: Literal["exec", "fork", "warm"]

    def __init__(self, fork_server: ForkServer, pid: int) -> None:
        self.start = fork_server.start
        self._fork_server = fork_server
        self.pid = pid

    def has_exited(self, pidfd: int) -> bool:
        """Whether it has ended."""
        return pidfd < 0 or bool(_poller(pidfd).poll(0))

    def wait(self, pidfd: int) -> None:
        """Block until it has ended."""
        if pidfd >= 0:
            _poller(pidfd).poll()

    def reap(self, pidfd: int) -> int:
        """Return the exit status; that of a worker whose fork server is lost as far as the system tells."""
        status = self._fork_server.reap(self.pid)
        if status is None:
            status = orphan_status(self.pid, pidfd)
        return LOST_STATUS if status is None else status


def _poller(descriptor: int) -> select.poll:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return poller


def owns_group(pid: int, pidfd: int) -> bool:
    """Whether the group with the number of a process that was started here can only be its own.

    Who loses its fork server is reaped by another, and its number may be given away. A group that has members keeps
    its number from that: so where a process has the number again, nobody of the group is left.
    """
    if pidfd < 0:
        return True
    try:
        signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        return not _is_taken(pid)
    except OSError:
        return True  # not allowed, but there
    return True


def _is_taken(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def open_pidfd(pid: int) -> int:
    """Return a descriptor that is readable once the process has exited, -1 where the system has none.

    Raises:
        OSError: No descriptor is left for one.
    """
    try:
        return os.pidfd_open(pid)
    except AttributeError:
        return -1
    except OSError as error:
        if error.errno in SHORTAGES:
            raise  # without it deaths would have to be looked for
        return -1

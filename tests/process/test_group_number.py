"""Whose the number of a process group is, once somebody else has reaped its leader."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from orchestrator.process import offspring
from orchestrator.process.offspring import owns_group

pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfds"),
]


def test_it_is_its_own_until_another_process_has_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, process_group=0)
    pidfd = os.pidfd_open(child.pid)
    try:
        assert owns_group(child.pid, pidfd)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert owns_group(child.pid, pidfd), "nobody has reaped it"
        child.communicate()
        assert owns_group(child.pid, pidfd), "what is left of the group can be killed"
        monkeypatch.setattr(offspring, "_is_taken", lambda _: True)
        assert not owns_group(child.pid, pidfd), "the number is another's"
    finally:
        os.close(pidfd)
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGKILL)
        child.wait()

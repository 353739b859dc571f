"""Files that the second thread of the sampling process reads are not closed under its hands."""

import os

from orchestrator.process.sampling.layout import FAMILY, PRIVATE
from orchestrator.process.sampling.proc_files import start_ticks
from orchestrator.process.sampling.watched_process import WatchedProcess


class Files:
    pid = 0
    closed = False

    def close(self) -> None:
        self.closed = True


def watched(accounting: int) -> tuple[WatchedProcess, Files, Files]:
    """Return one whose files, and those of whose child, tell whether they are closed."""
    process = WatchedProcess(1, os.getpid(), start_ticks(os.getpid()), accounting, 1, 0)
    process._files.close()
    own, child = Files(), Files()
    process._files, process._family = own, {7: child}  # type: ignore[assignment, dict-item]
    return process, own, child


def test_what_is_closed_while_it_is_counted_is_closed_after_that() -> None:
    process, own, child = watched(FAMILY)
    process.busy = True
    process.close()
    assert (own.closed, child.closed) == (False, False)
    process.counted()
    assert (own.closed, child.closed, process.busy) == (True, True, False)


def test_what_nobody_counts_is_closed_at_once() -> None:
    process, own, child = watched(PRIVATE)
    process.close()
    assert (own.closed, child.closed) == (True, True)

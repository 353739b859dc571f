"""Under which reason a worker's end is counted. Pure."""

from __future__ import annotations

import signal

from orchestrator.pool.core.states import ExitReason, WorkerState
from orchestrator_worker.pipe import PROTOCOL_EXIT_CODE


def exit_reason(
    dismissed_for: ExitReason | None, state: WorkerState, status: int, *, oom_killed: bool
) -> ExitReason:
    """Return why a worker left.

    ``dismissed_for`` is our own reason if we told it to go, ``state`` what it was before, ``status`` its
    ``Popen.returncode``. ``oom_killed`` says that the kernel's count of out-of-memory kills went up in the
    worker's control group since the last death; with it a SIGKILL is the kernel's, without it of unknown origin.
    """
    if dismissed_for is not None:
        return dismissed_for
    if status == -signal.SIGKILL:
        return ExitReason.OOM if oom_killed else ExitReason.KILLED
    if state in {WorkerState.STARTING, WorkerState.LOADING}:
        return ExitReason.START_FAILED
    if status == PROTOCOL_EXIT_CODE:
        return ExitReason.PROTOCOL
    return ExitReason.CRASH

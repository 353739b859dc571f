"""Every (state, event) pair: in the table and legal, or refused."""

import itertools

import pytest

from orchestrator.pool.core.states import (
    JOB_TRANSITIONS,
    WORKER_TRANSITIONS,
    ExitReason,
    IllegalTransitionError,
    JobEvent,
    JobState,
    WorkerEvent,
    WorkerState,
    next_job_state,
    next_state,
)
from orchestrator.pool.core.termination import exit_reason

LEGAL = {
    ("starting", "readied"): "loading",
    ("loading", "loaded"): "idle",
    ("idle", "job_given"): "busy",
    ("busy", "job_ended"): "idle",
    ("busy", "next_begun"): "busy",
    ("cancelling", "next_begun"): "busy",
    ("busy", "cancel_asked"): "cancelling",
    ("cancelling", "job_ended"): "idle",
    ("idle", "trim_asked"): "trimming",
    ("trimming", "trimmed"): "idle",
    **{
        (state, "dismissed"): "leaving"
        for state in ["starting", "loading", "idle", "busy", "cancelling", "trimming"]
    },
    **{
        (state, "exited"): "gone"
        for state in ["starting", "loading", "idle", "busy", "cancelling", "trimming", "leaving"]
    },
}
LEGAL_JOBS = {
    ("waiting", "given"): "running",
    ("waiting", "prefetched"): "sent",
    ("sent", "given"): "running",
    ("sent", "recalled"): "waiting",
    ("running", "unread"): "waiting",
    ("running", "put_off"): "delayed",
    ("delayed", "released"): "waiting",
    **{(state, "finished"): "ended" for state in ("waiting", "sent", "running", "delayed")},
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(WorkerState, WorkerEvent)))
def test_every_pair_of_a_worker(state: WorkerState, event: WorkerEvent) -> None:
    if (state.value, event.value) in LEGAL:
        assert next_state(state, event).value == LEGAL[state.value, event.value]
    else:
        with pytest.raises(IllegalTransitionError, match=f"{state} cannot take {event}"):
            next_state(state, event)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(JobState, JobEvent)))
def test_every_pair_of_a_job(state: JobState, event: JobEvent) -> None:
    if (state.value, event.value) in LEGAL_JOBS:
        assert next_job_state(state, event).value == LEGAL_JOBS[state.value, event.value]
    else:
        with pytest.raises(IllegalTransitionError):
            next_job_state(state, event)


def test_the_tables_hold_nothing_else() -> None:
    assert len(WORKER_TRANSITIONS) == len(LEGAL)
    assert len(JOB_TRANSITIONS) == len(LEGAL_JOBS)


def test_from_every_state_there_is_a_way_out() -> None:
    for state in WorkerState:
        if state is not WorkerState.GONE:
            assert next_state(state, WorkerEvent.EXITED) is WorkerState.GONE


@pytest.mark.parametrize("reason", list(ExitReason))
@pytest.mark.parametrize("status", [0, 3, -9, -11, 114])
def test_our_own_reason_wins_over_any_status(reason: ExitReason, status: int) -> None:
    assert exit_reason(reason, WorkerState.LEAVING, status, oom_killed=False) is reason


@pytest.mark.parametrize(
    ("state", "status", "oom", "reason"),
    [
        (WorkerState.BUSY, -9, True, "oom"),
        (WorkerState.BUSY, -9, False, "killed"),
        (WorkerState.LOADING, -9, True, "oom"),
        (WorkerState.LOADING, -9, False, "killed"),
        (WorkerState.LOADING, -11, False, "start-failed"),
        (WorkerState.STARTING, 1, False, "start-failed"),
        (WorkerState.BUSY, -11, False, "crash"),
        (WorkerState.BUSY, -6, True, "crash"),
        (WorkerState.IDLE, 0, False, "crash"),
        (WorkerState.BUSY, 114, False, "protocol"),
    ],
)
def test_unbidden_ends(state: WorkerState, status: int, oom: bool, reason: str) -> None:
    assert exit_reason(None, state, status, oom_killed=oom).value == reason

"""What a pool worker and a job can be, what can happen to them, and what follows.

Pure tables. Names here are the names in events, stats and logs: states are adjectives, events past tense.
A worker::

    starting ─ readied ▶ loading ─ loaded ▶ idle ─ job_given ▶ busy ─ job_ended ▶ idle
                                            │  ▲                 └─ cancel_asked ▶ cancelling ─ job_ended ▶ idle
                                            │                  busy, cancelling ─ next_begun ▶ busy
                                            └──┴─ trim_asked ▶ trimming ─ trimmed ▶ idle
    any of these ─ dismissed ▶ leaving          any, leaving too ─ exited ▶ gone

A job::

    waiting ─ given ▶ running ─ put_off ▶ delayed ─ released ▶ waiting        any but ended ─ finished ▶ ended
    waiting ─ prefetched ▶ sent ─ given ▶ running                             sent ─ recalled ▶ waiting
                                  running ─ unread ▶ waiting
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar


class IllegalTransitionError(Exception):
    """A (state, event) pair that is not in the table: a bug of ours, never of a worker or a caller."""

    def __init__(self, state: StrEnum, event: StrEnum) -> None:
        self.state = state
        self.event = event
        super().__init__(f"{state} cannot take {event}")


class WorkerState(StrEnum):
    """What a worker process is at the moment."""

    STARTING = "starting"
    """Spawned; the handshake is under way."""
    LOADING = "loading"
    IDLE = "idle"
    BUSY = "busy"
    CANCELLING = "cancelling"
    """Its job has ended for the caller (cancel, timeout); the engine was asked to give up and may yet."""
    TRIMMING = "trimming"
    LEAVING = "leaving"
    """Told to go; still holds its memory."""
    GONE = "gone"
    """Reaped: its memory is the system's again."""


class WorkerEvent(StrEnum):
    """What happened to a worker."""

    READIED = "readied"
    LOADED = "loaded"
    JOB_GIVEN = "job_given"
    JOB_ENDED = "job_ended"
    NEXT_BEGUN = "next_begun"
    """Its job ended, and it began the next that was sent ahead."""
    CANCEL_ASKED = "cancel_asked"
    TRIM_ASKED = "trim_asked"
    TRIMMED = "trimmed"
    DISMISSED = "dismissed"
    EXITED = "exited"


class JobState(StrEnum):
    """What a job is at the moment."""

    WAITING = "waiting"
    SENT = "sent"
    """In the pipe of a worker behind the job that runs; while the worker has not begun it, it can be recalled."""
    RUNNING = "running"
    DELAYED = "delayed"
    """Its worker died; it waits for its next attempt."""
    ENDED = "ended"


class JobEvent(StrEnum):
    """What happened to a job."""

    PREFETCHED = "prefetched"
    RECALLED = "recalled"
    GIVEN = "given"
    UNREAD = "unread"
    """Its worker died without having read it."""
    PUT_OFF = "put_off"
    RELEASED = "released"
    FINISHED = "finished"


class ExitReason(StrEnum):
    """Why a worker left: each counted apart, never merged."""

    JOBS = "jobs"
    RSS = "rss"
    AGE = "age"
    IDLE = "idle"
    EVICTED = "evicted"
    TIMEOUT = "timeout"
    CANCEL = "cancel"
    HARD_RSS = "hard-rss"
    FROZEN = "frozen"
    OOM = "oom"
    KILLED = "killed"
    CRASH = "crash"
    START_FAILED = "start-failed"
    PROTOCOL = "protocol"
    SHUTDOWN = "shutdown"


_W, _E = WorkerState, WorkerEvent
WORKER_TRANSITIONS: dict[tuple[WorkerState, WorkerEvent], WorkerState] = {
    (_W.STARTING, _E.READIED): _W.LOADING,
    (_W.LOADING, _E.LOADED): _W.IDLE,
    (_W.IDLE, _E.JOB_GIVEN): _W.BUSY,
    (_W.BUSY, _E.JOB_ENDED): _W.IDLE,
    (_W.BUSY, _E.NEXT_BEGUN): _W.BUSY,
    (_W.CANCELLING, _E.NEXT_BEGUN): _W.BUSY,
    (_W.BUSY, _E.CANCEL_ASKED): _W.CANCELLING,
    (_W.CANCELLING, _E.JOB_ENDED): _W.IDLE,
    (_W.IDLE, _E.TRIM_ASKED): _W.TRIMMING,
    (_W.TRIMMING, _E.TRIMMED): _W.IDLE,
    **{(state, _E.DISMISSED): _W.LEAVING for state in _W if state not in {_W.LEAVING, _W.GONE}},
    **{(state, _E.EXITED): _W.GONE for state in _W if state is not _W.GONE},
}

JOB_TRANSITIONS: dict[tuple[JobState, JobEvent], JobState] = {
    (JobState.WAITING, JobEvent.GIVEN): JobState.RUNNING,
    (JobState.WAITING, JobEvent.PREFETCHED): JobState.SENT,
    (JobState.SENT, JobEvent.GIVEN): JobState.RUNNING,
    (JobState.SENT, JobEvent.RECALLED): JobState.WAITING,
    (JobState.RUNNING, JobEvent.UNREAD): JobState.WAITING,
    (JobState.RUNNING, JobEvent.PUT_OFF): JobState.DELAYED,
    (JobState.DELAYED, JobEvent.RELEASED): JobState.WAITING,
    **{(state, JobEvent.FINISHED): JobState.ENDED for state in JobState if state is not JobState.ENDED},
}

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


def _look_up(table: dict[tuple[S, E], S], state: S, event: E) -> S:
    try:
        return table[state, event]
    except KeyError:
        raise IllegalTransitionError(state, event) from None


def next_state(state: WorkerState, event: WorkerEvent) -> WorkerState:
    """Return the state of a worker after ``event``.

    ``exited`` is legal everywhere but in ``gone``, because a child may die at any moment.

    Raises:
        IllegalTransitionError: The pair is not in the table.
    """
    return _look_up(WORKER_TRANSITIONS, state, event)


def next_job_state(state: JobState, event: JobEvent) -> JobState:
    """Return the state of a job after ``event``. Nothing leads out of ``ended``: a job ends once.

    Raises:
        IllegalTransitionError: The pair is not in the table.
    """
    return _look_up(JOB_TRANSITIONS, state, event)

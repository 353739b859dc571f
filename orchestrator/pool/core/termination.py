"""How workers leave: told to go, down the stop ladder in timed steps, and confirmed gone.

::

    polite   Shutdown ── 2 s ──▶ SIGTERM ── 1 s ──▶ SIGKILL     a worker that stands idle
    firm                         SIGTERM ── 1 s ──▶ SIGKILL     one that works or loads: it would not listen
    hard                                            SIGKILL     one that must not go on

Nobody waits: each step sets the deadline of the next. Memory is given back when the process is reaped and
not before.
"""

from __future__ import annotations

import signal
from enum import IntEnum
from typing import Any

from orchestrator.errors import EngineUnavailableError, ModelOutOfUseError, WorkerDiedError
from orchestrator.pool.core.exit_reasons import exit_reason
from orchestrator.pool.core.model_queue import Lane
from orchestrator.pool.core.outcomes import Endings, identity
from orchestrator.pool.core.prefetch import Lines
from orchestrator.pool.core.registry import Roster
from orchestrator.pool.core.slot import Worker
from orchestrator.pool.core.states import ExitReason, JobState, WorkerEvent, WorkerState
from orchestrator.pool.events import ModelTakenOut, WorkerDismissed, WorkerLeft
from orchestrator.process.exit_status import describe_exit
from orchestrator_worker.protocol import Shutdown

_UNWANTED = {
    ExitReason.TIMEOUT,
    ExitReason.CANCEL,
    ExitReason.HARD_RSS,
    ExitReason.OOM,
    ExitReason.KILLED,
    ExitReason.CRASH,
    ExitReason.PROTOCOL,
}
"""Ends after which the model is loaded again although no job may wait for it."""
_STARTING = {WorkerState.STARTING, WorkerState.LOADING}


class Rung(IntEnum):
    """A step of the stop ladder."""

    POLITE = 0
    TERM = 1
    KILL = 2


class Departures:
    """Sees workers off."""

    def __init__(self, roster: Roster, endings: Endings, lines: Lines) -> None:
        self._roster = roster
        self._endings = endings
        self._lines = lines

    # ------------------------------------------------------------------ told to go

    def dismiss(
        self, worker: Worker, reason: ExitReason, now: float, *, rung: Rung | None = None, excuse: str = ""
    ) -> None:
        """Tell ``worker`` to go; its slot is free for another at once. Nothing when it is leaving already."""
        if worker.state in {WorkerState.LEAVING, WorkerState.GONE}:
            return
        if rung is None:
            rung = Rung.POLITE if worker.state is WorkerState.IDLE else Rung.TERM
        if worker.line:
            self._lines.fix(worker, now)
        worker.move(WorkerEvent.DISMISSED)  # any -> leaving
        worker.dismissed_for = reason
        worker.excuse = excuse
        self._roster.leaving[worker] = None
        self._roster.remove(worker, now)
        if reason in _UNWANTED:
            self._keep_warm(worker)
        if self._roster.hands.listening:
            self._roster.hands.tell(WorkerDismissed(at_s=now, reason=reason, **self._about(worker)))
        self._step(worker, rung, now)

    def turn_out(
        self, worker: Worker, reason: ExitReason, error: Exception, now: float, *, excuse: str
    ) -> None:
        """Kill a worker that must not go on. If it was starting, that start has failed, or it would go on for ever."""
        starting = worker.state in _STARTING
        self.dismiss(worker, reason, now, rung=Rung.KILL, excuse=excuse)
        if starting:
            self.start_failed(worker.lane, error, now)

    def step_further(self, worker: Worker, now: float) -> None:
        """A leaving worker has not gone in time."""
        self._step(worker, Rung(min(worker.rung + 1, Rung.KILL)), now)

    def hurry(self, worker: Worker, now: float) -> None:
        """A leaving worker is above its hard limit: kill it. It still counts as what it was told to go for."""
        if worker.rung < Rung.KILL:
            self._step(worker, Rung.KILL, now)

    def _step(self, worker: Worker, rung: Rung, now: float) -> None:
        settings = self._roster.settings
        worker.rung = rung
        match rung:
            case Rung.POLITE:
                worker.link.send(Shutdown())
                self._roster.deadlines.set(worker, now + settings.polite_grace_s)
            case Rung.TERM:
                worker.link.signal(signal.SIGTERM)
                self._roster.deadlines.set(worker, now + settings.term_grace_s)
            case Rung.KILL:
                worker.link.signal(signal.SIGKILL)

    # ------------------------------------------------------------------ gone

    def bury(self, worker: Worker, status: int, now: float) -> None:
        """The process is reaped: give back what it held, settle its job, count why it left."""
        was = worker.state
        kernel = worker.dismissed_for is None and status == -signal.SIGKILL
        oom = kernel and self._roster.hands.kernel_killed()
        reason = exit_reason(worker.dismissed_for, was, status, oom_killed=oom)
        cause = worker.excuse or describe_exit(status)
        worker.move(WorkerEvent.EXITED)  # any -> gone
        self._give_back(worker, reason, now)
        if self._roster.hands.listening:
            self._roster.hands.tell(self._farewell(worker, reason, cause, now))
        if was in _STARTING:
            error = WorkerDiedError(
                cause,
                exit_status=status,
                phase="load" if was is WorkerState.LOADING else "start",
                stderr_tail=worker.link.last_words(),
                **identity(worker),
            )
            self.start_failed(worker.lane, error, now)
        self._lines.release(worker, now)
        job, worker.job = worker.job, None
        if job is not None and job.state is JobState.RUNNING:
            self._endings.worker_died(job, worker, status=status, cause=cause, reason=reason, now=now)
        self._roster.hands.bury(worker)

    def _give_back(self, worker: Worker, reason: ExitReason, now: float) -> None:
        roster, slot = self._roster, worker.slot
        if worker in roster.leaving:
            del roster.leaving[worker]
        else:
            roster.remove(worker, now)
            if reason in _UNWANTED:
                self._keep_warm(worker)
        roster.deadlines.clear(worker)
        roster.budget.release(worker)
        roster.replan = True
        slot.exits[reason] += 1
        worker.lane.exits[reason] += 1
        slot.peak_bytes = max(slot.peak_bytes, worker.peak_bytes)

    def _keep_warm(self, worker: Worker) -> None:
        if worker.slot.worker is None and worker.lane.out_of_use is None:
            worker.slot.keep = worker.lane

    def _farewell(self, worker: Worker, reason: ExitReason, cause: str, now: float) -> WorkerLeft:
        return WorkerLeft(
            at_s=now,
            reason=reason,
            cause=cause,
            jobs=worker.jobs,
            peak_bytes=worker.peak_bytes,
            last_words=worker.link.last_words(),
            **self._about(worker),
        )

    def _about(self, worker: Worker) -> dict[str, Any]:
        return {**identity(worker), "model": worker.lane.name}

    # ------------------------------------------------------------------ starts that fail

    def start_failed(self, lane: Lane, error: Exception, now: float) -> None:
        """Note a failed start. What is missing fails the jobs at once; else it is tried again, but not for ever."""
        for slot in self._roster.slots:
            if slot.keep is lane:
                slot.keep = None
        self._roster.replan = True
        lane.cause = error
        if lane.intensity.start_failed(now, str(error)):
            count = len(lane.intensity.evidence)
            self.take_out(lane, f"it could not be started {count} times in a row or in a short time", now)
        elif isinstance(error, EngineUnavailableError):
            for job in lane.waiting.members():
                missing = EngineUnavailableError(error.what, error.how_to_get_it)
                self._endings.fail(job, missing, "refused", now)

    def take_out(self, lane: Lane, why: str, now: float) -> None:
        """Take a model out of use; its jobs fail with the evidence, other models go on."""
        lane.out_of_use = ModelOutOfUseError(lane.name, why, lane.intensity.evidence)
        if self._roster.hands.listening:
            event = ModelTakenOut(at_s=now, model=lane.name, why=why, evidence=lane.intensity.evidence)
            self._roster.hands.tell(event)
        delayed = [job for job in self._roster.delayed if job.lane is lane]
        for job in [*lane.waiting.members(), *delayed]:
            self._endings.fail(job, lane.refusal(), "refused", now)
        for worker in list(self._roster.workers()):
            if worker.lane is lane and worker.state in _STARTING:
                self.dismiss(worker, ExitReason.START_FAILED, now)

"""How workers leave: told to go, then the stop ladder in timed steps, then confirmed gone.

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

from orchestrator.config.sizes import format_size
from orchestrator.errors import EngineUnavailableError, ModelOutOfUseError, WorkerDiedError
from orchestrator.pool.core.entities import JobRecord, ModelQueue, Worker
from orchestrator.pool.core.outcomes import Outcomes, identity
from orchestrator.pool.core.prefetch import Prefetch
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import ExitReason, JobState, WorkerEvent, WorkerState
from orchestrator.pool.core.warm.templates import Templates
from orchestrator.pool.events import ModelTakenOut, WorkerDismissed, WorkerLeft
from orchestrator_worker.protocol import PROTOCOL_EXIT_CODE, Shutdown

_UNWANTED = {
    ExitReason.TIMEOUT,
    ExitReason.CANCEL,
    ExitReason.HARD_RSS,
    ExitReason.FROZEN,
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


class Termination:
    """Ends workers."""

    def __init__(
        self, registry: Registry, outcomes: Outcomes, prefetch: Prefetch, templates: Templates
    ) -> None:
        self._registry = registry
        self._outcomes = outcomes
        self._prefetch = prefetch
        self._templates = templates

    # ------------------------------------------------------------------ told to go

    def dismiss(
        self, worker: Worker, reason: ExitReason, now: float, *, rung: Rung | None = None, cause: str = ""
    ) -> None:
        """Tell ``worker`` to go; its slot is free for another at once. Nothing when it is leaving already."""
        if worker.state in {WorkerState.LEAVING, WorkerState.GONE}:
            return
        # Only an idle worker reads its pipe. A busy one would find Shutdown after its job, so it gets a signal.
        if rung is None:
            rung = Rung.POLITE if worker.state is WorkerState.IDLE else Rung.TERM
        # First, while it is still busy: what cannot be recalled any more lies before the Shutdown in its pipe, so it
        # may still do that, and those jobs stay its own until it is gone.
        if worker.prefetched:
            self._prefetch.fix(worker, now)
        self.go_on_reading(worker)
        worker.move(WorkerEvent.DISMISSED)  # any -> leaving
        worker.dismissed_for = reason
        worker.cause = cause
        self._templates.doubt(worker, reason, cause)
        # The slot is free at once, but the memory is not: the budget holds the reservation until the process is
        # reaped.
        self._registry.leaving[worker] = None
        self._registry.remove(worker, now)
        self.refuse_if_nobody_serves(worker.model_queue, now)
        if reason in _UNWANTED:
            self._keep_warm(worker)
        if self._registry.effects.listening:
            self._registry.effects.tell(WorkerDismissed(at_s=now, reason=reason, **self._about(worker)))
        self._step(worker, rung, now)

    def terminate(
        self, worker: Worker, reason: ExitReason, error: Exception, now: float, *, cause: str
    ) -> None:
        """Kill a worker that must not go on. If it was starting, that start has failed, or it would go on for ever."""
        starting = worker.state in _STARTING
        self.dismiss(worker, reason, now, rung=Rung.KILL, cause=cause)
        if starting:
            self.start_failed(worker.model_queue, error, now)

    def go_on_reading(self, worker: Worker) -> None:
        """Read the replies of a worker again that had to wait."""
        if worker.paused:
            worker.paused = False
            worker.link.pause(False)

    def step_further(self, worker: Worker, now: float) -> None:
        """A leaving worker has not gone in time."""
        self._step(worker, Rung(min(worker.rung + 1, Rung.KILL)), now)

    def hurry(self, worker: Worker, now: float) -> None:
        """A leaving worker is above its hard limit: kill it. It still counts as what it was told to go for."""
        if worker.rung < Rung.KILL:
            self._step(worker, Rung.KILL, now)

    def _step(self, worker: Worker, rung: Rung, now: float) -> None:
        settings = self._registry.settings
        worker.rung = rung
        match rung:
            case Rung.POLITE:
                worker.link.send(Shutdown())
                self._registry.timers.set(worker, now + settings.polite_grace_s)
            case Rung.TERM:
                worker.link.signal(signal.SIGTERM)
                self._registry.timers.set(worker, now + settings.term_grace_s)
            case Rung.KILL:
                # No deadline behind it: nothing survives SIGKILL but a process in an uninterruptible system call, and
                # for that one there is nothing else to do.
                worker.link.signal(signal.SIGKILL)

    # ------------------------------------------------------------------ gone

    def reap(self, worker: Worker, status: int, words: str, now: float) -> None:
        """The process is reaped: give back what it held, settle its job, count why it left."""
        was = worker.state
        # The kernel's counter is of the whole control group, so it is only asked where nobody else explains the end.
        kernel = worker.dismissed_for is None and status == -signal.SIGKILL
        in_group = kernel and worker.link.group_killed()
        oom = kernel and self._registry.effects.kernel_killed()
        reason = exit_reason(worker.dismissed_for, was, status, oom_killed=oom)
        cause = worker.cause or words
        if in_group:
            reason, cause = ExitReason.HARD_RSS, _by_the_kernel(worker)
        worker.move(WorkerEvent.EXITED)  # any -> gone
        self._give_back(worker, reason, now)
        self._templates.worker_left(worker, reason, cause)
        if self._registry.effects.listening:
            self._registry.effects.tell(self._farewell(worker, reason, cause, now))
        if was in _STARTING:
            error = WorkerDiedError(
                cause,
                exit_status=status,
                phase="load" if was is WorkerState.LOADING else "start",
                stderr_tail=worker.link.stderr_tail(),
                **identity(worker),
            )
            self.start_failed(worker.model_queue, error, now)
        self.refuse_if_nobody_serves(worker.model_queue, now)
        # Prefetched jobs were not begun, so they go back as if never sent: only the running one is to blame, and
        # counts an attempt.
        self._prefetch.release(worker, now)
        job, worker.job = worker.job, None
        if job is not None and job.state is JobState.RUNNING:
            if worker.link.has_read(job.frame):
                self._outcomes.worker_died(job, worker, status=status, cause=cause, reason=reason, now=now)
            else:
                self._died_before(job, worker, status, cause, now)
        # Last: only now may its descriptors be closed, because stderr_tail was still read above.
        self._registry.effects.reap(worker)

    def _died_before(self, job: JobRecord, worker: Worker, status: int, cause: str, now: float) -> None:
        """The worker died without having read its job, which has no part in that: another worker gets it.

        One that has never done a job has failed to start: else its successors could die like that for ever.
        """
        self._prefetch.unread(job, now)
        if worker.jobs == 1:
            words = worker.link.stderr_tail()
            error = WorkerDiedError(
                cause, exit_status=status, phase="idle", stderr_tail=words, **identity(worker)
            )
            self.start_failed(worker.model_queue, error, now)

    def _give_back(self, worker: Worker, reason: ExitReason, now: float) -> None:
        registry, slot = self._registry, worker.slot
        # A worker that was dismissed has left its slot then; one that died by itself leaves it only here.
        if worker in registry.leaving:
            del registry.leaving[worker]
        else:
            registry.remove(worker, now)
            if reason in _UNWANTED:
                self._keep_warm(worker)
        registry.timers.clear(worker)
        if worker.hung_up is not None:
            registry.timers.clear(worker.hung_up)
            worker.hung_up = None  # each has the other: it would be freed by the collector alone
        registry.budget.release(worker)
        if reason is not ExitReason.START_FAILED:
            registry.start_pause.end()  # what it held is free: enough for another
        registry.replan = True
        slot.exits[reason] += 1
        worker.model_queue.exits[reason] += 1
        slot.peak_bytes = max(slot.peak_bytes, worker.peak_bytes)

    def _keep_warm(self, worker: Worker) -> None:
        if worker.slot.worker is None and worker.model_queue.out_of_use is None:
            worker.slot.keep = worker.model_queue

    def _farewell(self, worker: Worker, reason: ExitReason, cause: str, now: float) -> WorkerLeft:
        return WorkerLeft(
            at_s=now,
            reason=reason,
            cause=cause,
            jobs=worker.jobs,
            peak_bytes=worker.peak_bytes,
            stderr_tail=worker.link.stderr_tail(),
            **self._about(worker),
        )

    def _about(self, worker: Worker) -> dict[str, Any]:
        return {**identity(worker), "model": worker.model_queue.name}

    # ------------------------------------------------------------------ starts that fail

    def start_failed(self, model_queue: ModelQueue, error: Exception, now: float) -> None:
        """Note a failed start. What is missing fails the jobs at once; else it is tried again, but not for ever."""
        # No job waits for a model that is only kept warm, so nobody would see it fail to start again and again.
        for slot in self._registry.slots:
            if slot.keep is model_queue:
                slot.keep = None
        self._registry.replan = True
        model_queue.cause = error
        if model_queue.restart_limit.start_failed(now, str(error)):
            count = len(model_queue.restart_limit.evidence)
            self.take_out(
                model_queue, f"it could not be started {count} times in a row or in a short time", now
            )
        elif isinstance(error, EngineUnavailableError):
            for job in model_queue.waiting.members():
                # An error of its own for each: a raised exception carries the traceback of the thread that raised it.
                missing = EngineUnavailableError(error.what, error.how_to_get_it)
                self._outcomes.fail(job, missing, "refused", now)

    def take_out(self, model_queue: ModelQueue, why: str, now: float) -> None:
        """Take a model out of use: none of its workers is started until it has rested; other models go on.

        Workers that it has go on. If it has none its jobs fail, with the evidence.
        """
        model_queue.half_open = False
        model_queue.rests.begin(now)
        model_queue.out_of_use = ModelOutOfUseError(model_queue.name, why, model_queue.restart_limit.evidence)
        for slot in self._registry.slots:
            if slot.keep is model_queue:
                slot.keep = None
        if self._registry.effects.listening:
            event = ModelTakenOut(
                at_s=now, model=model_queue.name, why=why, evidence=model_queue.restart_limit.evidence
            )
            self._registry.effects.tell(event)
        for worker in list(self._registry.workers()):
            if worker.model_queue is model_queue and worker.state in _STARTING:
                self.dismiss(worker, ExitReason.START_FAILED, now)
        self.refuse_if_nobody_serves(model_queue, now)

    def refuse_if_nobody_serves(self, model_queue: ModelQueue, now: float) -> None:
        """Fail the waiting jobs of a model that is out of use, once none of its workers is left."""
        if not model_queue.refuses:
            return
        delayed = [job for job in self._registry.delayed if job.model_queue is model_queue]
        for job in [*model_queue.waiting.members(), *delayed]:
            self._outcomes.fail(job, model_queue.refusal(), "refused", now)


def _by_the_kernel(worker: Worker) -> str:
    limit = format_size(worker.limits.hard_rss_bytes or 0)
    return f"hard-rss (killed by the kernel: its own control group may have {limit})"


def exit_reason(
    dismissed_for: ExitReason | None, state: WorkerState, status: int, *, oom_killed: bool
) -> ExitReason:
    """Return why a worker left.

    ``dismissed_for`` is our own reason if we told it to go, ``state`` what it was before, ``status`` its
    ``Popen.returncode``. ``oom_killed`` says that the kernel's count of out-of-memory kills went up in the
    worker's control group since the last death; with it a SIGKILL is the kernel's, without it of unknown origin.
    """
    # What we told it goes first: a worker that a SIGTERM of ours catches in native code may die of anything.
    if dismissed_for is not None:
        return dismissed_for
    if status == -signal.SIGKILL:
        return ExitReason.OOM if oom_killed else ExitReason.KILLED
    if state in {WorkerState.STARTING, WorkerState.LOADING}:
        return ExitReason.START_FAILED
    if status == PROTOCOL_EXIT_CODE:
        return ExitReason.PROTOCOL
    return ExitReason.CRASH

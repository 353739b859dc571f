"""What happens to a worker between two jobs: it is replaced, trims its heap, gets its next job, or waits for one."""

from __future__ import annotations

from orchestrator.pool.core.auto_recycling import AutoRecycling
from orchestrator.pool.core.dispatch import Dispatch
from orchestrator.pool.core.entities import Worker
from orchestrator.pool.core.memory_monitor import MemoryMonitor
from orchestrator.pool.core.prefetch import Prefetch
from orchestrator.pool.core.recycling_rules import NO_LIMITS, due, must_stop_working
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import ExitReason, WorkerEvent, WorkerState
from orchestrator.pool.core.termination import Termination
from orchestrator_worker.protocol import Cancel, Trim


class AfterJob:
    """Ends jobs on the worker's side, and decides what comes then."""

    def __init__(
        self,
        registry: Registry,
        termination: Termination,
        dispatch: Dispatch,
        prefetch: Prefetch,
        memory: MemoryMonitor,
    ) -> None:
        self._registry = registry
        self._termination = termination
        self._dispatch = dispatch
        self._prefetch = prefetch
        self._memory = memory
        self._auto = AutoRecycling(registry)

    def successor_ready(self, successor: Worker, now: float) -> None:
        """Take the place of a predecessor that is due and idle; else wait for it as a reserve."""
        worker = successor.slot.worker
        if worker is not None and worker.state is WorkerState.IDLE:
            reason = self.due(worker, now)
            if reason is not None:
                self._termination.dismiss(worker, reason, now)

    def end_of_job(self, worker: Worker, now: float) -> None:
        """The worker has answered, and nothing is prefetched for it."""
        worker.move(WorkerEvent.JOB_ENDED)  # busy, cancelling -> idle
        worker.job = None
        worker.last_used = now
        self._registry.timers.clear(worker)
        limited = worker.limits.rss_bytes is not None
        if worker.jobs == 1 or limited or (worker.trace is not None and not self._auto.trusts(worker)):
            self._memory.learn(worker)
            self._auto.job_ended(worker)

    def stands_idle(self, worker: Worker, now: float) -> None:
        """Decide what an idle worker does next: leave, trim, work, or wait."""
        if worker.limits is not NO_LIMITS and (self.leaves(worker, now) or self._trims(worker, now)):
            return
        if not self._dispatch.next_for(worker, now) and worker.state is WorkerState.IDLE:
            self._registry.make_available(worker, now)
            if self._registry.closing:
                self._registry.replan = True

    def due(self, worker: Worker, now: float) -> ExitReason | None:
        """Return why the worker is to be replaced; None while it may stay."""
        age_s = now - worker.started_at
        reason = due(worker.limits, jobs=worker.jobs, rss_bytes=worker.rss_bytes, age_s=age_s)
        return self._auto.due(worker) if reason is None and worker.trace is not None else reason

    def leaves(self, worker: Worker, now: float) -> bool:
        """Replace a worker that is due: by its successor, or, where there is no room for both, by the next start.

        A worker that is only past its RSS or age goes on until its successor is loaded.
        """
        reason = self.due(worker, now)
        if reason is None:
            return False
        slot = worker.slot
        if not (must_stop_working(reason) or self._auto.must_stop_working(worker)):
            if slot.successor is None:
                self._dispatch.prepare_successor(slot, worker.model_queue, now)
            if slot.successor is not None and slot.successor.state is not WorkerState.IDLE:
                return False
        self._termination.dismiss(worker, reason, now)
        if slot.worker is None and not self._registry.closing:
            slot.keep = worker.model_queue
        return True

    def _trims(self, worker: Worker, now: float) -> bool:
        every = worker.limits.trim_every
        if every is None or worker.jobs_since_trim < every:
            return False
        worker.jobs_since_trim = 0
        worker.move(WorkerEvent.TRIM_ASKED)  # idle -> trimming
        worker.ticket = self._registry.effects.draw_ticket()
        worker.link.send(Trim(worker.ticket))
        self._registry.timers.set(worker, now + self._registry.settings.trim_timeout_s)
        return True

    def ask_to_give_up(self, worker: Worker, reason: ExitReason, now: float) -> None:
        """The job has ended for its caller: the engine may give up by itself, else the worker goes."""
        if worker.state is not WorkerState.BUSY or worker.job is None:
            return
        if worker.prefetched:
            self._prefetch.fix(worker, now)
        self._termination.go_on_reading(worker)
        worker.move(WorkerEvent.CANCEL_ASKED)  # busy -> cancelling
        worker.cancel_reason = reason
        worker.link.send(Cancel(worker.job.ticket))
        self._registry.timers.set(worker, now + self._registry.settings.cancel_grace_s)

"""What an answer brings: its caller hears of it; the worker is replaced, trims its heap, has its next job, or waits."""

from __future__ import annotations

from orchestrator.pool.core.auto_recycling import AutoRecycling
from orchestrator.pool.core.dispatch import Dispatch
from orchestrator.pool.core.entities import JobRecord, Worker
from orchestrator.pool.core.memory_monitor import MemoryMonitor
from orchestrator.pool.core.outcomes import Outcomes
from orchestrator.pool.core.prefetch import FEW_PREFETCHED, Prefetch
from orchestrator.pool.core.recycling.rules import NO_LIMITS, due, must_stop_working
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import ExitReason, JobState, WorkerEvent, WorkerState
from orchestrator.pool.core.termination import Termination
from orchestrator.pool.results import Answer, WorkerTag
from orchestrator_worker.protocol import Cancel, Chunk, Done, Failed, Reply, Returned, Trim


class AfterJob:
    """Ends jobs on the worker's side, and decides what comes then."""

    def __init__(
        self,
        registry: Registry,
        outcomes: Outcomes,
        termination: Termination,
        dispatch: Dispatch,
        prefetch: Prefetch,
        memory: MemoryMonitor,
    ) -> None:
        self._registry = registry
        self._outcomes = outcomes
        self._termination = termination
        self._dispatch = dispatch
        self._prefetch = prefetch
        self._memory = memory
        self._auto = AutoRecycling(registry)

    # ------------------------------------------------------------------ an answer

    def answered(self, worker: Worker, job: JobRecord, answer: Done | Failed, now: float) -> None:
        """A job is over: the worker has its next one before callers are told of this one."""
        running = job.state is JobState.RUNNING
        if worker.template is not None:
            worker.template.proven = True
        if running and type(answer) is Done:
            # Of several answers that came together none but the first was waited for since its job began.
            if now - job.started_at < answer.seconds:
                job.started_at = now - answer.seconds
            if worker.model_queue.job_s is None:
                self._registry.replan = True  # a model that has done a job may have more workers
            worker.model_queue.learn_job(now - job.started_at, answer.seconds)
        if worker.prefetched:
            self._next_prefetched(worker, now)
        else:
            self.end_of_job(worker, now)
            self.stands_idle(worker, now)
        if running:
            self._answer(job, answer, worker, now)

    def _next_prefetched(self, worker: Worker, now: float) -> None:
        """The worker has begun its next job already; more are prefetched when few are left."""
        if worker.jobs == 1:
            self._memory.learn(worker)
        self._prefetch.advance(worker, now)
        assert worker.job is not None
        if worker.job.state is JobState.ENDED:
            self.ask_to_give_up(worker, ExitReason.CANCEL, now)
        elif (
            self._registry.queues_with_jobs
            and len(worker.prefetched) <= FEW_PREFETCHED
            and (frames := self._prefetch.more_for(worker))
        ):
            self._registry.has_written = True
            worker.link.send_frame(frames)

    def _answer(self, job: JobRecord, answer: Done | Failed, worker: Worker, now: float) -> None:
        """Tell the caller."""
        if isinstance(answer, Failed):
            self._outcomes.engine_failed(job, answer, worker, now)
            return
        assert job.first_started_at is not None
        waited_s = job.first_started_at - job.submitted_at
        self._outcomes.succeed(job, Answer(answer, waited_s, _tag(worker)), now)

    def last_answer(self, worker: Worker, reply: Reply, now: float) -> None:
        """What a leaving worker still says counts for its running job, and so for the prefetched jobs it has begun."""
        if isinstance(reply, Returned):
            self._prefetch.returned(worker, reply.id, now)
        job = worker.job
        if not isinstance(reply, Done | Failed | Chunk) or job is None or job.ticket != reply.id:
            return  # all else is nobody's business any more
        if isinstance(reply, Chunk):
            if job.state is JobState.RUNNING:
                job.promise.add_chunk(reply)
            return
        worker.job = None
        if worker.prefetched:
            self._prefetch.advance(worker, now)
        if job.state is JobState.RUNNING:
            self._answer(job, reply, worker, now)

    # ------------------------------------------------------------------ between two jobs

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

        A worker that is only past its RSS or age goes on until its successor is loaded, and one without any for a job.
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
            if slot.successor is None and not worker.jobs and worker.model_queue.waiting:
                return False  # what its own start made due, the next start would, too: it does a job first
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

    def trimmed(self, worker: Worker, now: float) -> None:
        """A heap trim is over, or was refused."""
        worker.move(WorkerEvent.TRIMMED)  # trimming -> idle
        self._registry.timers.clear(worker)
        self._memory.read(worker)
        if worker.trace is not None:
            worker.trace.stands_at(worker.rss_bytes)
        self.stands_idle(worker, now)

    def idle_due(self, worker: Worker, now: float) -> None:
        """Look at an idle worker whose time has come: idle for long enough, or old."""
        idle_s = worker.limits.idle_s
        if idle_s is not None and now - worker.idle_since >= idle_s:
            if worker.slot.successor is not None:
                self._termination.dismiss(worker.slot.successor, ExitReason.IDLE, now)
            self._termination.dismiss(worker, ExitReason.IDLE, now)
        elif worker is worker.slot.worker and not self.leaves(worker, now):
            self._registry.make_available(worker, now, worker.idle_since)
            # An aged worker whose successor still loads is looked at when that is ready, not every instant.
            if self.due(worker, now) is not None:
                self._registry.timers.clear(worker)

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


def _tag(worker: Worker) -> WorkerTag:
    return WorkerTag(worker.slot.index, worker.generation, worker.pid, worker.model_queue.name)

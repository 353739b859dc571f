"""The supervisor: events come in, effects go out, and every mutable fact about workers is decided here.

It has no thread, no clock and no process of its own. The event loop (:mod:`orchestrator.pool.runtime.event_loop`)
calls it, from one thread at a time, with the time. :class:`~orchestrator.pool.core.registry.Effects` and
:class:`~orchestrator.pool.core.interfaces.Link` carry out what it decides, so its tests need no process and no sleep.

::

    callers ── submit, cancel ──▶ ┌────────────┐ ── give, cancel, dismiss ──▶ worker processes
    workers ── loaded, done … ──▶ │ supervisor │
    time ──── tick, sample ─────▶ └────────────┘ ── result or error, once ──▶ promises

Its parts: :mod:`.dispatch` (jobs to workers), :mod:`.prefetch` (jobs in a worker's pipe), :mod:`.starts` (workers
load), :mod:`.after_job`, :mod:`.termination` (workers leave), :mod:`.outcomes` (jobs end), :mod:`.warm` (what workers
are forked from) and :mod:`.memory_monitor`, all on the state in :mod:`.registry`.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.errors import (
    JobCancelledError,
    JobError,
    ProtocolError,
)
from orchestrator.pool.core.after_job import AfterJob
from orchestrator.pool.core.dispatch import Dispatch
from orchestrator.pool.core.entities import HungUp, JobRecord, Template, Worker
from orchestrator.pool.core.memory_monitor import MemoryMonitor
from orchestrator.pool.core.outcomes import Outcomes, identity
from orchestrator.pool.core.prefetch import Prefetch
from orchestrator.pool.core.recovery import Recovery
from orchestrator.pool.core.registry import Effects, Registry
from orchestrator.pool.core.restart_limit import StartPause
from orchestrator.pool.core.starts import Starts
from orchestrator.pool.core.states import ExitReason, JobEvent, JobState, WorkerEvent, WorkerState
from orchestrator.pool.core.termination import Rung, Termination
from orchestrator.pool.core.warm.templates import Templates
from orchestrator.pool.models import Model
from orchestrator.pool.options import Settings
from orchestrator_worker.protocol import Chunk, Done, Failed, Loaded, Ready, Reply, Returned, Trimmed

MOST_UNREAD = 1 << 20
"""Characters of one job's text that may wait for a reader."""
MOST_KEPT = 1 << 26
"""As many while the caller waits for the result, or the pool is closed: a result may have as much."""
_SETTLED = {WorkerState.LEAVING, WorkerState.GONE}


class Supervisor:
    """One pool's workers and jobs. Not thread-safe: one thread at a time calls it. ``now`` never goes back."""

    def __init__(self, models: Iterable[Model], settings: Settings, effects: Effects) -> None:
        self.registry = Registry(models, settings, effects)
        self._outcomes = Outcomes(self.registry)
        self._prefetch = Prefetch(self.registry, self._outcomes)
        self.templates = Templates(self.registry)
        self._termination = Termination(self.registry, self._outcomes, self._prefetch, self.templates)
        self._recovery = Recovery(self.registry, self._outcomes, self._termination)
        self._memory = MemoryMonitor(self.registry, self._termination, self.templates)
        self._dispatch = Dispatch(
            self.registry, self._outcomes, self._termination, self._prefetch, self.templates
        )
        self._after_job = AfterJob(
            self.registry, self._outcomes, self._termination, self._dispatch, self._prefetch, self._memory
        )
        self._starts = Starts(
            self.registry, self._outcomes, self._termination, self._dispatch, self._after_job, self._memory
        )
        if settings.prestart is not None:
            for slot in self.registry.slots[: settings.workers]:
                slot.keep = self.registry.model_queues[settings.prestart]

    # ------------------------------------------------------------------ from callers

    def submit(self, job: JobRecord, now: float) -> None:
        """A job came."""
        model_queue = job.model_queue
        self.registry.in_hand.append(job)
        job.submitted_at = now
        if model_queue.out_of_use is not None and model_queue.rests.over(now):
            model_queue.half_open = True
        if model_queue.refuses or (
            not model_queue.workers and self._dispatch.refuse_what_cannot_fit(model_queue, now)
        ):
            self.registry.enqueue(job)
            self._outcomes.fail(job, model_queue.refusal(), "refused", now)
            return
        self._dispatch.arrived(job, now)

    def cancel(self, job: JobRecord, now: float) -> None:
        """The caller gave a job up. Nothing when it has ended already."""
        self._recall_if_prefetched(job, now)
        if job.state is JobState.ENDED:
            return
        worker = job.worker if job.state is JobState.RUNNING else None
        self._outcomes.cancel(job, now)
        if worker is not None:
            self._after_job.ask_to_give_up(worker, ExitReason.CANCEL, now)

    def _recall_if_prefetched(self, job: JobRecord, now: float) -> None:
        """Recall a prefetched job where possible; else the worker has begun it, and we act when we hear of that."""
        if job.state is JobState.SENT and job.worker is not None:
            self._prefetch.recall(job.worker, now)

    def withdraw(self, job: JobRecord, now: float) -> None:
        """The caller was interrupted while it submitted: nobody has the job's future, and we may not have the job."""
        if job.state is not JobState.WAITING or job in job.model_queue.waiting.members():
            self.cancel(job, now)
            return
        job.move(JobEvent.FINISHED)  # waiting -> ended
        self.registry.effects.job_left_queue(job)
        if job.descriptor is not None:
            self.registry.effects.close_audio(job)
        job.promise.reject(JobCancelledError("its caller was interrupted while submitting it"))

    def cancel_waiting(self, now: float) -> None:
        """Cancel every job that is not running."""
        self._prefetch.recall_all(now)
        waiting = [
            job
            for model_queue in self.registry.model_queues.values()
            for job in model_queue.waiting.members()
        ]
        for job in [*waiting, *self.registry.delayed]:
            self._outcomes.cancel(job, now)

    def close(self, now: float) -> None:  # noqa: ARG002 - events all come with their time
        """No job will come any more; finish those that did."""
        self.registry.closing = True
        self.registry.replan = True
        for worker in self.registry.workers():
            self._termination.go_on_reading(worker)

    def stop(self, now: float) -> None:
        """Drop the queue, give up running jobs, end every worker at once."""
        registry = self.registry
        registry.closing = True
        workers = [*registry.workers(), *registry.leaving]
        running = [worker.job for worker in workers if worker.job is not None]
        running += [job for worker in workers for job in worker.prefetched]
        self.cancel_waiting(now)
        for job in running:
            if job.state is not JobState.ENDED:
                self._outcomes.cancel(job, now)
        for worker in list(registry.workers()):
            self._termination.dismiss(worker, ExitReason.SHUTDOWN, now, rung=Rung.KILL)
        for worker in list(registry.leaving):
            if worker.rung < Rung.KILL:
                self._termination.step_further(worker, now)

    @property
    def finished(self) -> bool:
        """Whether a closed pool has no job and no worker left."""
        registry = self.registry
        return (
            registry.closing and not registry.leaving and not any(registry.workers()) and not self._has_jobs()
        )

    def _has_jobs(self) -> bool:
        registry = self.registry
        return bool(registry.queues_with_jobs or registry.delayed)

    # ------------------------------------------------------------------ from workers

    def received(self, worker: Worker, reply: Reply, now: float) -> None:
        """A worker sent a reply. One that does not fit its state ends the worker."""
        if worker.state in _SETTLED:
            self._after_job.last_answer(worker, reply, now)
            return
        job = worker.job
        if type(reply) is Done and job is not None and job.ticket == reply.id:
            self._after_job.answered(worker, job, reply, now)
            return
        match reply:
            case Chunk() if job is not None and job.ticket == reply.id:
                if worker.state is WorkerState.BUSY:
                    self._text_came(worker, job, reply, now)
            case Failed() if reply.id == (worker.ticket if job is None else job.ticket):
                self._failed(worker, reply, now)
            case Ready() if worker.state is WorkerState.STARTING:
                worker.move(WorkerEvent.READIED)  # starting -> loading
            case Loaded() if worker.state is WorkerState.LOADING and reply.id == worker.ticket:
                self._starts.loaded(worker, reply, now)
            case Trimmed() if worker.state is WorkerState.TRIMMING and reply.id == worker.ticket:
                self._after_job.trimmed(worker, now)
            case Returned() if self._prefetch.returned(worker, reply.id, now):
                return
            case _:
                problem = f"{type(reply).__name__} out of turn, while {worker.state}"
                self.broke_protocol(worker, ProtocolError(problem, **identity(worker)), now)

    def _text_came(self, worker: Worker, job: JobRecord, chunk: Chunk, now: float) -> None:
        """Text that nobody reads is kept up to a bound; then its worker waits, and no other."""
        unread = job.promise.add_chunk(chunk)
        if unread <= MOST_UNREAD:
            return
        if unread > MOST_KEPT:
            error = JobError(
                "UnreadText", f"{unread:,} characters of its text were never read; read the stream"
            )
            self._outcomes.fail(job, error, "error", now)
            self._after_job.ask_to_give_up(worker, ExitReason.CANCEL, now)
        elif not (worker.paused or job.promise.reads_later or self.registry.closing):
            worker.paused = True
            worker.link.pause(True)

    def text_was_read(self, job: JobRecord, now: float) -> None:  # noqa: ARG002 - events all come with their time
        """A reader has made room, or reads nothing before the job's end."""
        if job.worker is not None and job.worker.job is job:
            self._termination.go_on_reading(job.worker)

    def broke_protocol(self, worker: Worker, error: ProtocolError, now: float) -> None:
        """A worker sent what is no message: it is killed, and its job with it."""
        self._termination.terminate(
            worker, ExitReason.PROTOCOL, error, now, cause=f"a broken protocol ({error.problem})"
        )

    def hung_up(self, worker: Worker, now: float) -> None:
        """A worker has closed its end of a pipe. Mostly that is how its death begins; it must be gone soon."""
        if worker.hung_up is None and worker.state is not WorkerState.GONE:
            worker.hung_up = HungUp(worker)
            self.registry.timers.set(worker.hung_up, now + self.registry.settings.term_grace_s)

    def _hung_up_and_lives(self, worker: Worker, now: float) -> None:
        """It can do nothing for us any more, and would never be heard of again."""
        if worker.state is WorkerState.LEAVING:
            self._termination.hurry(worker, now)
        elif worker.state is not WorkerState.GONE:
            problem = "it closed its end of a pipe and lives on"
            self.broke_protocol(worker, ProtocolError(problem, **identity(worker)), now)

    def exited(self, worker: Worker, status: int, words: str, now: float) -> None:
        """A worker's process is reaped. ``words`` name its exit status (``SIGSEGV``, ``exit code 3``)."""
        self.registry.touch(worker)
        self._memory.last_look(worker)
        self._termination.reap(worker, status, words, now)

    def _failed(self, worker: Worker, failed: Failed, now: float) -> None:
        job = worker.job
        if worker.state in {WorkerState.BUSY, WorkerState.CANCELLING} and job is not None:
            self._after_job.answered(worker, job, failed, now)
        elif worker.state is WorkerState.LOADING:
            self._starts.failed(worker, failed, now)
        elif worker.state is WorkerState.TRIMMING:
            self._after_job.trimmed(worker, now)
        else:
            problem = f"Failed out of turn, while {worker.state}: {failed.message}"
            self.broke_protocol(worker, ProtocolError(problem, **identity(worker)), now)

    def recover(self, unheard: Worker | None, now: float) -> list[tuple[Worker, Reply]]:
        """Make the state consistent after a decision that was interrupted half way; see :mod:`.recovery`.

        ``unheard`` is a worker whose answers were being read: some may be lost. Returns what is to be received again.
        """
        return self._recovery.restore(unheard, now)

    # ------------------------------------------------------------------ from the clock

    def tick(self, now: float) -> None:
        """Do what is due."""
        registry = self.registry
        for key in registry.timers.pop_due(now):
            if isinstance(key, JobRecord):
                self._job_due(key, now)
            elif isinstance(key, StartPause):
                self._starts.pause_over(now)
            elif isinstance(key, HungUp):
                self._hung_up_and_lives(key.worker, now)
            elif isinstance(key, Template):
                self.templates.timed_out(key)
            else:
                self._worker_due(key, now)
        self.look_if_due(now)

    def look_if_due(self, now: float) -> None:
        """Read the workers' memory if it is time for that; who asks how the pool stands does not wait for the tick."""
        registry = self.registry
        if registry.next_sample_at is not None and now >= registry.next_sample_at:
            self._memory.sample(now)
            self._prefetch.look_after(now)

    def memory_alarm(self, now: float) -> None:
        """A worker's memory, or that of all, was read above a limit: :meth:`tick` is to look at once."""
        self._memory.alarm(now)

    def next_due(self) -> float | None:
        """Return when :meth:`tick` must be called next."""
        due_at, sample_at = self.registry.timers.next_due(), self.registry.next_sample_at
        if due_at is None or sample_at is None:
            return sample_at if due_at is None else due_at
        return min(due_at, sample_at)

    def _job_due(self, job: JobRecord, now: float) -> None:
        if job.state is JobState.WAITING:
            self._outcomes.time_out(job, now)
        elif job.state is JobState.DELAYED:
            job.move(JobEvent.RELEASED)  # delayed -> waiting
            del self.registry.delayed[job]
            self._prefetch.make_way(job, now)
            self.registry.enqueue(job, front=True)
            self.registry.replan = True

    def _worker_due(self, worker: Worker, now: float) -> None:
        match worker.state:
            case WorkerState.STARTING | WorkerState.LOADING:
                self._starts.timed_out(worker, now)
            case WorkerState.BUSY:
                assert worker.job is not None
                self._outcomes.time_out(worker.job, now)
                self._after_job.ask_to_give_up(worker, ExitReason.TIMEOUT, now)
            case WorkerState.CANCELLING:
                self._termination.dismiss(worker, worker.cancel_reason, now)
            case WorkerState.TRIMMING:
                self._termination.dismiss(worker, ExitReason.TIMEOUT, now, cause="a heap trim without end")
            case WorkerState.LEAVING:
                self._termination.step_further(worker, now)
            case _:
                self._after_job.idle_due(worker, now)

    # ------------------------------------------------------------------ the end of every round

    def settle(self, now: float) -> None:
        """Called after every batch of events: give, start and evict; see idle workers off when closing."""
        if self.registry.replan:
            self._dispatch.plan(now)
            if self.registry.closing and not self._has_jobs():
                self._see_off_the_idle(now)

    def _see_off_the_idle(self, now: float) -> None:
        idle = {WorkerState.IDLE, WorkerState.STARTING, WorkerState.LOADING}
        for worker in list(self.registry.workers()):
            if worker.state in idle:
                self._termination.dismiss(worker, ExitReason.SHUTDOWN, now)

"""Consistent again after a decision that was interrupted half way.

Where callers run the loop, a signal handler that raises (Ctrl-C) can strike in the middle of a decision: a worker is
half idle and half busy, a job is in no queue and with no worker. What stopped there cannot be completed. But a decision
writes down what it touches before it changes it (``Registry.touch``, ``take_in_hand``), so that

- each *worker* that was touched gets back the jobs that are in its pipe, in their order, and is killed: the usual
  end of a worker then settles them. An answer that came is still heard, a job that was begun is tried again if it has
  an attempt left, the others go to other workers. (Killed, because the last write may be complete, or not begun.)
- each *job* that was touched and is in no pipe goes back to its place in the queue;
- what is derived (counts, sets, heaps) is derived anew.

All other workers and jobs do not notice. The tests interrupt decisions before each of their lines.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Collection

from orchestrator.errors import JobCancelledError
from orchestrator.pool.core.entities import JobRecord, Worker
from orchestrator.pool.core.outcomes import Outcomes
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import ExitReason, JobState, WorkerState
from orchestrator.pool.core.termination import Rung, Termination
from orchestrator_worker.protocol import Reply

CAUSE = "an interrupt in the middle of a decision"


class Recovery:
    """Repairs what an interrupt has left."""

    def __init__(self, registry: Registry, outcomes: Outcomes, termination: Termination) -> None:
        self._registry = registry
        self._outcomes = outcomes
        self._termination = termination

    def restore(self, unheard: Worker | None, now: float) -> list[tuple[Worker, Reply]]:
        """Give each worker and job that the interrupted decision touched its place again.

        Returns the replies that the decision was about, which are to be received again. Of ``unheard``, a worker, some
        may be lost. Which of its jobs it has done is not known then, so all count as begun: a job is never run twice
        because its answer was lost.
        """
        registry = self._registry
        if unheard is not None:
            registry.touch(unheard)
        touched, in_hand = dict(registry.touched), list(dict.fromkeys(registry.in_hand))
        in_pipes: set[JobRecord] = set()
        for worker, (job, prefetched, _) in touched.items():
            # ``touch`` resets ``has_written``, so that it is about the worker that was touched last.
            last = worker is next(reversed(touched))
            written = (
                self._newly_written(worker, in_hand, prefetched, job) if last and registry.has_written else []
            )
            in_pipes |= self._put_back(worker, job, prefetched, written)
        for worker in touched:
            if worker.state is not WorkerState.GONE:
                in_pipes.update(worker.prefetched)
        in_pipes |= self._with_others(touched)
        lost = [*in_hand, *(job for _, prefetched, _ in touched.values() for job in prefetched)]
        waiting = [job for job in dict.fromkeys(lost) if job not in in_pipes and not self._is_over(job)]
        for job in waiting:
            job.state, job.worker = JobState.WAITING, None
            if not job.frame:  # it was about to end, with an error that is lost
                job.promise.reject(JobCancelledError(CAUSE))
        waiting = [job for job in waiting if not self._is_over(job)]
        begun = [] if unheard is None else self._take_all(unheard)
        self._derive(waiting, now)
        for worker in touched:
            self._end(worker, now)
        for job in begun:
            self._worker_died(job, now)
        registry.replan = True
        return [(worker, reply) for worker, (_, _, reply) in touched.items() if reply is not None]

    def _with_others(self, touched: Collection[Worker]) -> set[JobRecord]:
        """Return the jobs of all other workers: what this decision gave one of them before is in its pipe."""
        registry = self._registry
        others = [worker for worker in (*registry.workers(), *registry.leaving) if worker not in touched]
        return {job for worker in others for job in (worker.job, *worker.prefetched) if job is not None}

    def _newly_written(
        self,
        worker: Worker,
        in_hand: list[JobRecord],
        prefetched: tuple[JobRecord, ...],
        job: JobRecord | None,
    ) -> list[JobRecord]:
        """Return the jobs that this decision took for ``worker`` and perhaps wrote into its pipe."""
        return [one for one in in_hand if one.worker is worker and one is not job and one not in prefetched]

    def _put_back(
        self,
        worker: Worker,
        job: JobRecord | None,
        prefetched: tuple[JobRecord, ...],
        written: list[JobRecord],
    ) -> set[JobRecord]:
        """Give a worker the jobs that are in its pipe; return them."""
        behind = [
            one for one in prefetched if one.state is not JobState.WAITING
        ]  # recalled ones are out of it
        line = [*([] if job is None else [job]), *behind, *written]
        for number, one in enumerate(line):
            one.worker = worker
            # The promise is the truth: it is set in one step, and its caller may have acted upon it already.
            if one.promise.done():
                one.state = JobState.ENDED
            else:
                one.state = JobState.SENT if number else JobState.RUNNING
        if line and line[0].first_started_at is None:
            # It begins with this write, and was not noted as begun yet.
            self._registry.effects.job_left_queue(line[0])
            line[0].first_started_at = line[0].started_at = max(line[0].started_at, line[0].submitted_at)
        worker.job = line[0] if line else None
        worker.prefetched = deque(line[1:])
        worker.prefetch_is_fixed = bool(worker.prefetched)
        return set(line)

    def _take_all(self, worker: Worker) -> list[JobRecord]:
        """Take the jobs of a worker from it; return those that have not ended."""
        jobs = [*([] if worker.job is None else [worker.job]), *worker.prefetched]
        worker.job = None
        worker.prefetched.clear()
        worker.prefetch_is_fixed = False
        return [job for job in jobs if not self._is_over(job)]

    def _worker_died(self, job: JobRecord, now: float) -> None:
        if job.first_started_at is None:
            self._registry.effects.job_left_queue(job)
            job.first_started_at = job.started_at = now
        job.state = JobState.RUNNING
        assert job.worker is not None
        status, reason = -signal.SIGKILL, ExitReason.CANCEL
        self._outcomes.worker_died(job, job.worker, status=status, cause=CAUSE, reason=reason, now=now)

    def _is_over(self, job: JobRecord) -> bool:
        """Whether the caller has its answer; then the job is let go of."""
        if not job.promise.done():
            return False
        job.state = JobState.ENDED
        self._registry.delayed.pop(job, None)
        self._registry.timers.clear(job)
        job.frame = b""
        if job.descriptor is not None:
            self._registry.effects.close_audio(job)
        return True

    def _derive(self, waiting: list[JobRecord], now: float) -> None:
        """Make anew what follows from the states of workers and jobs."""
        registry = self._registry
        for job in waiting:
            registry.delayed.pop(job, None)
        used = [slot.worker for slot in registry.slots if slot.worker is not None]
        for model_queue in registry.model_queues.values():
            own = [job for job in waiting if job.model_queue is model_queue]
            model_queue.waiting.rebuild([*model_queue.waiting.members(), *own])
            model_queue.workers = {worker for worker in used if worker.model_queue is model_queue}
            model_queue.idle = {
                worker: None
                for worker in model_queue.idle
                if worker.state is WorkerState.IDLE and worker in model_queue.workers
            }
        registry.queues_with_jobs = {
            model_queue: None for model_queue in registry.model_queues.values() if model_queue.waiting
        }
        registry.with_prefetched = {
            worker: None for worker in [*registry.workers(), *registry.leaving] if worker.prefetched
        }
        # Both keep a number beside what it is the number of, and may have been struck between the two.
        registry.budget.recount()
        registry.timers.rebuild()
        for job in waiting:
            registry.timers.clear(job)
            if job.queue_timeout_s is not None and job.first_started_at is None:
                registry.timers.set(job, job.submitted_at + job.queue_timeout_s)
        registry.next_sample_at = None
        registry.sample_soon(now)

    def _end(self, worker: Worker, now: float) -> None:
        """Kill a worker that was touched, however far it had come."""
        registry = self._registry
        if worker.state is WorkerState.GONE:  # its process is reaped, what it held perhaps not given back
            worker.state = WorkerState.LEAVING
            registry.leaving[worker] = None
            registry.remove(worker, now)
        elif worker.state is WorkerState.LEAVING:
            registry.leaving[worker] = None
            registry.remove(worker, now)
            worker.rung = Rung.KILL
            worker.link.signal(signal.SIGKILL)
        else:
            self._termination.dismiss(worker, ExitReason.CANCEL, now, rung=Rung.KILL, cause=CAUSE)

"""How jobs end: once each, as a result or as one of the errors; or, after a death, begin again.

Deaths alone are retried. What an engine raised, a timeout and a cancel are answers.
"""

from __future__ import annotations

from typing import Any

from orchestrator.errors import (
    Attempt,
    EngineUnavailableError,
    JobCancelledError,
    JobPoisonedError,
    JobTimeoutError,
    WorkerDiedError,
)
from orchestrator.pool.core.entities import JobRecord, Worker
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import JobEvent, JobState
from orchestrator.pool.events import JobEnded
from orchestrator.remote_errors import job_error
from orchestrator_worker.protocol import Failed

MOST_SPARED = 3
"""Times that a job is given again without counting an attempt: then it is more likely the job's own doing."""


class Outcomes:
    """Ends jobs and keeps the count of how."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def succeed(self, job: JobRecord, value: Any, now: float) -> None:
        """The job has its result."""
        self._leave(job)
        accepted = job.promise.resolve(value)
        self._note(job, "result" if accepted else "cancelled", now)

    def fail(self, job: JobRecord, error: BaseException, outcome: str, now: float) -> None:
        """The job ends with ``error``."""
        self._leave(job)
        accepted = job.promise.reject(error)
        self._note(job, outcome if accepted else "cancelled", now)

    def engine_failed(self, job: JobRecord, failed: Failed, worker: Worker, now: float) -> None:
        """The engine raised."""
        match failed.kind:
            case "unavailable":
                self.fail(job, EngineUnavailableError(failed.message, failed.how_to_get_it), "error", now)
            case "cancelled":
                error = JobCancelledError(failed.message or "the engine gave up", **identity(worker))
                self.fail(job, error, "cancelled", now)
            case _:
                self.fail(job, job_error(failed), "error", now)

    def cancel(self, job: JobRecord, now: float) -> None:
        """The caller, or the pool's stop, gave the job up."""
        about = identity(job.worker) if job.worker is not None else {}
        self.fail(job, JobCancelledError("the job was cancelled", **about), "cancelled", now)

    def time_out(self, job: JobRecord, now: float) -> None:
        """The job was not started, or not done, in its time."""
        if job.state is JobState.RUNNING:
            assert job.timeout_s is not None
            assert job.worker is not None
            error = JobTimeoutError(job.timeout_s, "run", **identity(job.worker))
        else:
            assert job.queue_timeout_s is not None
            error = JobTimeoutError(job.queue_timeout_s, "queue")
        self.fail(job, error, "timeout", now)

    def worker_died(
        self, job: JobRecord, worker: Worker, *, status: int, cause: str, reason: str, now: float
    ) -> None:
        """The job's worker is gone: again, if there is an attempt left, else the end."""
        if worker.spares_job and job.model_queue.out_of_use is not None:
            self.fail(job, job.model_queue.refusal(), "refused", now)
            return
        if worker.spares_job and job.spared < MOST_SPARED:
            job.spared += 1
            self._put_off(job, 0.0, now)
            return
        words = worker.link.stderr_tail()
        attempt = Attempt(
            len(job.attempts) + 1,
            cause=cause,
            reason=reason,
            run_s=now - job.started_at,
            stderr_tail=words,
            **identity(worker),
        )
        job.attempts = (*job.attempts, attempt)
        assert job.first_started_at is not None
        retry = self._registry.settings.retry
        pause_s = retry.next_pause_s(len(job.attempts), now - job.first_started_at)
        if pause_s is not None and job.model_queue.out_of_use is None:
            self._put_off(job, pause_s, now)
        elif len(job.attempts) > 1:
            self.fail(job, JobPoisonedError(job.attempts), "poisoned", now)
        else:
            error = WorkerDiedError(
                cause, exit_status=status, phase="run", stderr_tail=words, **identity(worker)
            )
            self.fail(job, error, "died", now)

    def _put_off(self, job: JobRecord, pause_s: float, now: float) -> None:
        job.move(JobEvent.PUT_OFF)  # running -> delayed
        job.worker = None
        self._registry.metrics.retries += 1
        self._registry.delayed[job] = None
        self._registry.timers.set(job, now + pause_s)

    def _leave(self, job: JobRecord) -> None:
        """Remove the job from the registry and give back what it held, before its caller hears of it."""
        registry, was = self._registry, job.state
        job.move(JobEvent.FINISHED)  # any -> ended
        if was is not JobState.RUNNING:
            if was is JobState.WAITING:
                registry.left_while_waiting(job)
            elif was is JobState.DELAYED:
                del registry.delayed[job]
            registry.timers.clear(job)
            registry.replan = True
        if job.first_started_at is None:
            registry.effects.job_left_queue(job)
        job.frame = b""
        if job.descriptor is not None:
            registry.effects.close_audio(job)

    def _note(self, job: JobRecord, outcome: str, now: float) -> None:
        registry = self._registry
        begun = job.first_started_at
        waited_s = (now if begun is None else begun) - job.submitted_at
        run_s = None if begun is None else now - job.started_at
        registry.metrics.count(job.task, outcome, waited_s, run_s)
        if registry.effects.listening:
            registry.effects.tell(
                JobEnded(
                    at_s=now,
                    job=job.id,
                    task=job.task,
                    model=job.model_queue.name,
                    outcome=outcome,
                    waited_s=waited_s,
                    run_s=run_s or 0.0,
                    slot=None if job.worker is None else job.worker.slot.index,
                    attempts=len(job.attempts),
                )
            )


def identity(worker: Worker) -> dict[str, Any]:
    """Return the facts by which errors name a worker."""
    return {"slot": worker.slot.index, "generation": worker.generation, "pid": worker.pid}

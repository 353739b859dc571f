"""The memory of a pool's workers, read from outside: series, needs learnt, the hard limit.

Read while a worker does something, at a fixed pace, and at the end of a load and of a first job. An idle
worker stands still, so nothing is read and the loop sleeps.
"""

from __future__ import annotations

from orchestrator.config.sizes import format_size
from orchestrator.errors import SpawnError
from orchestrator.pool.core.entities import Sample, Worker
from orchestrator.pool.core.outcomes import identity
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import ExitReason, WorkerState
from orchestrator.pool.core.termination import Termination


class MemoryMonitor:
    """Takes readings and acts on them."""

    def __init__(self, registry: Registry, termination: Termination) -> None:
        self._registry = registry
        self._termination = termination

    def sample(self, now: float) -> None:
        """Read every worker that does something; stop sampling when none does."""
        registry = self._registry
        active = [worker for worker in registry.workers() if worker.state is not WorkerState.IDLE]
        leaving = [worker for worker in registry.leaving if worker.limits.hard_rss_bytes is not None]
        registry.next_sample_at = now + registry.settings.sample_interval_s if active or leaving else None
        overshoot = 0
        for worker in active:
            self.read(worker)
            overshoot += registry.budget.overshoot_bytes(worker, worker.rss_bytes)
            job = None if worker.job is None else worker.job.id
            worker.slot.series.append(Sample(now, worker.rss_bytes, worker.generation, worker.state, job))
            self._enforce(worker, now)
        registry.metrics.overshoot_peak_bytes = max(registry.metrics.overshoot_peak_bytes, overshoot)
        for worker in leaving:
            self.read(worker)
            if worker.rss_bytes > (worker.limits.hard_rss_bytes or 0):
                self._termination.hurry(worker, now)

    def read(self, worker: Worker) -> None:
        """Take one reading."""
        worker.saw_rss(worker.link.read_rss())

    def learn(self, worker: Worker) -> None:
        """A load or a job has shown what the model needs; the reservation follows, as far as there is room."""
        self.read(worker)
        registry = self._registry
        if worker.jobs <= 1:
            worker.model_queue.learn_memory(worker.peak_bytes)
        need = worker.model_queue.need_bytes(registry.budget.limit_bytes)
        registry.budget.adjust(worker, max(need, worker.rss_bytes))

    def _enforce(self, worker: Worker, now: float) -> None:
        hard = worker.limits.hard_rss_bytes
        if hard is None or worker.rss_bytes <= hard:
            return
        cause = f"hard-rss ({format_size(worker.rss_bytes)} resident, the limit is {format_size(hard)})"
        error = SpawnError(cause, **identity(worker))
        self._termination.terminate(worker, ExitReason.HARD_RSS, error, now, cause=cause)

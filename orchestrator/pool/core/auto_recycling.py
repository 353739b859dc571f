"""Recycling by what the pool itself has learnt: gathers the facts, asks, and acts on the answer.

What is learnt is in :mod:`.recycling.growth_model`, what follows from it in :mod:`.recycling.learned`.
"""

from __future__ import annotations

from orchestrator.pool.core.entities import Worker
from orchestrator.pool.core.prefetch import SHORT_JOB_S
from orchestrator.pool.core.recycling.growth_model import Learner
from orchestrator.pool.core.recycling.learned import (
    Due,
    Standing,
    best_jobs,
    learned_due,
    limit_for,
    unwatched_jobs,
)
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import ExitReason

READ_OFTEN = 16
"""Readings that a worker of short jobs gets at least in the jobs it may do without one, while it waits between them."""


class AutoRecycling:
    """The learners of the models that are recycled automatically. Costs nothing for the others."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        recycle = registry.settings.recycle
        for model_queue in registry.model_queues.values():
            if recycle is not None and recycle.of(model_queue.recycled_as).auto:
                model_queue.learner = Learner(registry.settings.workers)

    def trusts(self, worker: Worker) -> bool:
        """Whether a worker of short jobs is so far from its limit that this job need not be followed by a reading."""
        trace, job_s = worker.trace, worker.model_queue.job_s
        short = job_s is not None and job_s < SHORT_JOB_S
        return short and trace is not None and worker.jobs - trace.jobs < trace.unwatched // READ_OFTEN

    def job_ended(self, worker: Worker) -> None:
        """Take the reading after a job, or after a line of short ones; it was read already."""
        trace, learner = worker.trace, worker.model_queue.learner
        if trace is None or learner is None:
            return
        learner.job_ended(trace, worker.rss_bytes, max(1, worker.jobs - trace.jobs))
        trace.unwatched = unwatched_jobs(trace, learner.growth, worker_limit(self._registry, worker))

    def due(self, worker: Worker) -> ExitReason | None:
        """Return why a worker between two jobs is to be replaced; None while it may stay."""
        due = self._due(worker)
        if due is None or not (due.at_once or worker.slot.successor or self._room_for_a_successor(worker)):
            return None
        if due.by_cost:
            return ExitReason.JOBS
        if worker.trace is not None:
            worker.trace.outgrew = True
        return ExitReason.RSS

    def must_stop_working(self, worker: Worker) -> bool:
        """Whether one more job could take the worker past its limit."""
        due = self._due(worker)
        return due is not None and due.at_once

    def _due(self, worker: Worker) -> Due | None:
        model_queue, trace = worker.model_queue, worker.trace
        if trace is None or model_queue.learner is None or not trace.jobs or worker.jobs > trace.jobs:
            return None  # nothing known, or nothing new
        limit = worker_limit(self._registry, worker)
        crowded = self._others_wait_for_memory(worker)
        standing = Standing(
            limit, model_queue.start_s, model_queue.job_s, crowded, model_queue.learner.outgrown
        )
        return learned_due(trace, model_queue.learner.growth, standing)

    def _room_for_a_successor(self, worker: Worker) -> bool:
        budget = self._registry.budget
        return worker.model_queue.need_bytes(budget.limit_bytes) <= budget.room_bytes

    def _others_wait_for_memory(self, worker: Worker) -> bool:
        budget = self._registry.budget
        return any(
            model_queue is not worker.model_queue
            and not model_queue.workers
            and model_queue.need_bytes(budget.limit_bytes) > budget.room_bytes
            for model_queue in self._registry.queues_with_jobs
        )


def worker_limit(registry: Registry, worker: Worker) -> int:
    """Return what a worker that has learnt something may take, in bytes."""
    budget, settings = registry.budget, registry.settings
    assert worker.trace is not None
    # What stands by of other models is no part of what this model's workers share.
    others = sum(
        budget.held_by(other)
        for other in (registry.workers() if settings.standby else ())
        if other.model_queue is not worker.model_queue
    )
    return limit_for(
        worker.trace,
        budget_bytes=budget.limit_bytes - others,
        workers=settings.workers,
        need_bytes=worker.model_queue.need_bytes(budget.limit_bytes),
        free_bytes=budget.held_by(worker) + budget.room_bytes,
        outgrown=worker.model_queue.learner is not None and worker.model_queue.learner.outgrown,
    )


def worker_best_jobs(worker: Worker) -> float | None:
    """Return the period that makes the most of memory; None while it is not known."""
    model_queue, trace = worker.model_queue, worker.trace
    if (
        trace is None
        or model_queue.learner is None
        or model_queue.start_s is None
        or not model_queue.job_s
        or not trace.jobs
    ):
        return None
    return best_jobs(trace, model_queue.learner.growth, model_queue.start_s, model_queue.job_s)

"""Recycling by what the pool itself has learnt: gathers the facts for :mod:`.learned_recycling` and acts on its word.

What is learnt and what follows from it is decided there, without a pool.
"""

from __future__ import annotations

from orchestrator.pool.core.growth_model import Due, Learner, Standing, best_jobs, learned_due, limit_for
from orchestrator.pool.core.registry import Roster
from orchestrator.pool.core.slot import Worker
from orchestrator.pool.core.states import ExitReason


class AutoRecycling:
    """The learners of the models that are recycled automatically. Costs nothing for the others."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        recycle = roster.settings.recycle
        for lane in roster.lanes.values():
            if recycle is not None and recycle.of(lane.name).auto:
                lane.learner = Learner(len(roster.slots))

    def job_ended(self, worker: Worker) -> None:
        """Take the reading after a job; it was read already."""
        if worker.trace is not None and worker.lane.learner is not None:
            worker.lane.learner.job_ended(worker.trace, worker.rss_bytes)

    def due(self, worker: Worker) -> ExitReason | None:
        """Return why a worker between two jobs is to be replaced; None while it may stay."""
        due = self._due(worker)
        if due is None or not (due.at_once or worker.slot.successor or self._room_for_a_successor(worker)):
            return None
        return ExitReason.JOBS if due.by_cost else ExitReason.RSS

    def must_stop_working(self, worker: Worker) -> bool:
        """Whether one more job could take the worker past its limit."""
        due = self._due(worker)
        return due is not None and due.at_once

    def _due(self, worker: Worker) -> Due | None:
        lane, trace = worker.lane, worker.trace
        if trace is None or lane.learner is None or not trace.jobs:
            return None
        limit = worker_limit(self._roster, worker)
        standing = Standing(limit, lane.start_s, lane.job_s, self._others_wait_for_memory(worker))
        return learned_due(trace, lane.learner.growth, standing)

    def _room_for_a_successor(self, worker: Worker) -> bool:
        budget = self._roster.budget
        return worker.lane.need_bytes(budget.limit_bytes) <= budget.room_bytes

    def _others_wait_for_memory(self, worker: Worker) -> bool:
        budget = self._roster.budget
        return any(
            lane is not worker.lane
            and not lane.workers
            and lane.need_bytes(budget.limit_bytes) > budget.room_bytes
            for lane in self._roster.lanes_waiting
        )


def worker_limit(roster: Roster, worker: Worker) -> int:
    """Return what a worker that has learnt something may take, in bytes."""
    budget = roster.budget
    assert worker.trace is not None
    return limit_for(
        worker.trace,
        budget_bytes=budget.limit_bytes,
        workers=len(roster.slots),
        need_bytes=worker.lane.need_bytes(budget.limit_bytes),
        free_bytes=budget.held_by(worker) + budget.room_bytes,
    )


def worker_best_jobs(worker: Worker) -> float | None:
    """Return the period that makes the most of memory; None while it is not known."""
    lane, trace = worker.lane, worker.trace
    if trace is None or lane.learner is None or lane.start_s is None or not lane.job_s or not trace.jobs:
        return None
    return best_jobs(trace, lane.learner.growth, lane.start_s, lane.job_s)

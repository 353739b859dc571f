"""More models than slots, jobs of mixed priorities: starts must not eat the work."""

from __future__ import annotations

import random

import pytest
from fake_pool import FakePool

from orchestrator.pool.core.states import WorkerState

JOB_S = 0.1
JOBS = 400
BACKLOG = 60


def play(seed: int, *, models: int, slots: int, start_s: float, priorities: int) -> tuple[FakePool, float]:
    """Keep a backlog of random jobs until all are done; return the pool and the seconds that took."""
    draw = random.Random(seed)
    pool = FakePool(*(f"m{number}" for number in range(models)), workers=slots)
    pool.listening = False
    began, done = pool.now, 0
    while done < JOBS:
        while len(pool.jobs) < min(JOBS, done + BACKLOG):
            pool.submit(f"m{draw.randrange(models)}", priority=draw.randrange(priorities))
        pool.reap_leaving()
        coming = [
            (
                worker.started_at + start_s if worker.job is None else worker.job.started_at + JOB_S,
                worker.slot.index,
                worker.generation,
                worker,
            )
            for worker in pool.registry.workers()
            if worker.state is not WorkerState.IDLE
        ]
        at, _, _, worker = min(coming)
        pool.now = max(pool.now, at)
        if worker.state is WorkerState.BUSY:
            pool.done(worker)
            done += 1
        else:
            pool.ready(worker)
    return pool, pool.now - began


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("models", "slots", "start_s"), [(4, 2, 1.0), (2, 1, 1.0), (4, 2, 0.3)])
def test_a_worker_works_as_long_as_its_start_took(seed: int, models: int, slots: int, start_s: float) -> None:
    pool, seconds = play(seed, models=models, slots=slots, start_s=start_s, priorities=5)
    work_s = JOBS * JOB_S / slots
    assert pool.registry.metrics.evictions * start_s / slots <= 1.25 * work_s
    assert seconds <= 2.5 * work_s


def test_a_higher_priority_is_still_served_long_before_a_lower_one() -> None:
    pool, _ = play(1, models=4, slots=2, start_s=1.0, priorities=2)
    waits: dict[int, list[float]] = {0: [], 1: []}
    for job in pool.jobs:
        assert job.first_started_at is not None
        waits[job.priority].append(job.first_started_at - job.submitted_at)
    assert sum(waits[1]) / len(waits[1]) < 0.5 * sum(waits[0]) / len(waits[0])

"""Pools whose jobs are known to be short, so that jobs are prefetched for their workers."""

from typing import Any

from fake_pool import FakePool

from orchestrator.pool.core.entities import JobRecord, Worker
from orchestrator.pool.core.states import JobState, WorkerState

AT_WORK = {WorkerState.BUSY, WorkerState.CANCELLING}


def quick_pool(*names: str, workers: int = 1, **settings: Any) -> FakePool:
    """Return a pool in which every worker stands idle and has done one tiny job of the first model."""
    pool = FakePool(*names, workers=workers, **settings)
    first = next(iter(pool.registry.model_queues))
    for _ in range(workers):
        pool.submit(first)
    pool.ready_all()
    for slot in range(workers):
        pool.done(pool.worker(slot), seconds=0.0)
    return pool


def with_prefetched(pool: FakePool, count: int, **options: Any) -> list[JobRecord]:
    """Bring the only worker to a job with ``count`` more prefetched; return them, the one that runs first."""
    opening = pool.submit(**options)
    jobs = [pool.submit(**options) for _ in range(1 + count)]
    pool.done(pool.worker(), seconds=0.0)
    assert opening.state is JobState.ENDED
    assert pool.worker().job is jobs[0]
    assert list(pool.worker().prefetched) == jobs[1:]
    return jobs


def work_off(pool: FakePool) -> None:
    """Have every job done that there is, without time passing."""
    while at_work := [worker for worker in everybody(pool) if worker.state in AT_WORK]:
        pool.done(at_work[0], seconds=0.0)
        pool.ready_all()


def everybody(pool: FakePool) -> list[Worker]:
    """Return all living workers."""
    return [*pool.registry.workers(), *pool.registry.leaving]


def states(jobs: list[JobRecord]) -> list[JobState]:
    """Return what each is."""
    return [job.state for job in jobs]


def assert_even(pool: FakePool) -> None:
    """Every job has ended once, and nothing of any is left in the registry."""
    for job in pool.jobs:
        pool.ending(job)
    assert pool.places == 0
    assert not pool.registry.with_prefetched
    assert not pool.registry.queues_with_jobs
    assert pool.supervisor.registry.delayed == {}

"""Workers that stand by: several models stay loaded, and no more work at a time than may."""

from __future__ import annotations

import pytest
from fake_pool import MIB, FakePool

from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.options import PoolOptions
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stats import ModelStats, take_stats
from orchestrator.pool.submission.checked_options import check_options

MODELS = ("asr", "aligner")


def turns(pool: FakePool, count: int) -> None:
    for _ in range(count):
        for model in MODELS:
            job = pool.submit(model)
            pool.ready_all()
            assert job.worker is not None
            pool.done(job.worker)


def test_one_worker_takes_turns_with_two_models_without_unloading_either() -> None:
    pool = FakePool(*MODELS, workers=1, standby=1)
    turns(pool, 5)
    assert pool.registry.metrics.spawns == 2
    assert pool.registry.metrics.evictions == 0


def test_without_standby_or_without_memory_they_are_swapped() -> None:
    for pool in (
        FakePool(*MODELS, workers=1),
        FakePool(*MODELS, workers=1, standby=1, budget_bytes=100 * MIB, need_mib=60),
    ):
        for _ in range(2):
            for model in MODELS:
                job = pool.submit(model)
                pool.reap_leaving()
                pool.ready_all()
                assert job.worker is not None
                pool.done(job.worker)
        assert pool.registry.metrics.evictions == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_work_at_a_time_than_may(workers: int) -> None:
    pool = FakePool(*MODELS, workers=workers, standby=workers)
    jobs = [pool.submit(MODELS[number % 2]) for number in range(12)]
    for _ in range(100):
        pool.ready_all()
        busy = [worker for worker in pool.registry.workers() if worker.state is WorkerState.BUSY]
        assert len(busy) <= workers
        assert sum(worker.model_queue.name == "asr" for worker in pool.registry.workers()) <= workers
        if not busy:
            break
        pool.done(busy[0], seconds=0.05)
    assert all(job.state is JobState.ENDED for job in jobs)
    assert pool.registry.metrics.evictions == 0


def test_older_jobs_go_first_whatever_their_model() -> None:
    pool = FakePool(*MODELS, workers=1, standby=1)
    turns(pool, 1)
    running = pool.submit("asr")
    older, younger = pool.submit("aligner"), pool.submit("asr")
    assert running.worker is not None
    pool.done(running.worker)
    assert (older.state, younger.state) == (JobState.RUNNING, JobState.WAITING)


def test_what_stands_by_is_no_part_of_what_a_model_may_grow_to() -> None:
    pool = FakePool(
        *MODELS, workers=1, standby=1, budget_bytes=500 * MIB, recycle=Recycle(auto=True), need_mib=100
    )
    turns(pool, 1)
    growth = {model.model: model.growth for model in take(pool)}
    held = sum(pool.registry.budget.held_by(worker) for worker in pool.registry.workers())
    assert growth["asr"] is not None
    limit = growth["asr"].limit_bytes
    assert limit is not None
    assert 500 * MIB - held <= limit <= 400 * MIB


def take(pool: FakePool) -> tuple[ModelStats, ...]:
    return take_stats(pool.registry, pool.now).models


@pytest.mark.parametrize("standby", [-1, 1.5, True, "2"])
def test_a_number_of_workers_is_asked_for(standby: object) -> None:
    with pytest.raises(ValueError, match="standby"):
        check_options(PoolOptions(standby=standby))  # type: ignore[arg-type]

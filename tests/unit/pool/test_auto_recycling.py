"""What is learnt makes the supervisor act: in time, at once, for others' sake, and never without need."""

from __future__ import annotations

from typing import Any

from fake_pool import MIB, FakePool

from orchestrator.pool.core.entities import Worker
from orchestrator.pool.core.states import WorkerState
from orchestrator.pool.recycling import Recycle

AUTO = Recycle(auto=True, jitter=0)


def auto_pool(*names: str, budget_mib: int, **settings: Any) -> FakePool:
    return FakePool(*names, budget_bytes=budget_mib * MIB, recycle=AUTO, **settings)


def work(pool: FakePool, worker: Worker, *, grows_mib: int = 0, takes_s: float = 1.0) -> None:
    """Do one job; memory grows within it."""
    pool.submit(worker.model_queue.name)
    assert worker.state is WorkerState.BUSY
    pool.now += takes_s
    worker.link.rss += grows_mib * MIB  # type: ignore[attr-defined]
    pool.done(worker)


def start(pool: FakePool, *, takes_s: float = 3.0) -> Worker:
    pool.now += takes_s
    pool.ready_all()
    return pool.worker()


def test_a_worker_that_would_break_the_budget_does_not_one_job_more() -> None:
    pool = auto_pool("m", budget_mib=120, prestart="m")
    worker = start(pool)
    jobs = 0
    while worker.state is WorkerState.IDLE:
        work(pool, worker, grows_mib=10)
        jobs += 1
    assert jobs == 7, "50 MiB and 10 with each job; the eighth would pass 120"
    pool.reap_leaving()
    assert pool.exits() == {"rss": 1}
    assert pool.worker().generation == 2, "the model is loaded again"


def test_where_there_is_room_a_successor_loads_while_the_worker_goes_on() -> None:
    pool = auto_pool("m", budget_mib=400, prestart="m")
    worker = start(pool)
    while pool.registry.slots[0].successor is None:
        work(pool, worker, grows_mib=10)
        assert worker.state is WorkerState.IDLE
    grown = worker.rss_bytes
    work(pool, worker, grows_mib=10)
    assert worker.state is WorkerState.IDLE, "one more job, while the successor loads"
    pool.ready_all()
    assert pool.worker().generation == 2
    assert worker.state is WorkerState.LEAVING
    limit = (400 - pool.registry.model_queues["m"].need_bytes(400 * MIB) / MIB) * MIB
    assert limit - 50 * MIB <= grown <= limit - 10 * MIB, "three jobs more fit into the time of a start"


def test_one_that_does_not_grow_stays() -> None:
    pool = auto_pool("m", budget_mib=64, prestart="m", workers=1)
    worker = start(pool)
    for number in range(200):
        work(pool, worker, grows_mib=-3 if number % 2 else 3)
    assert worker.state is WorkerState.IDLE
    assert pool.exits() == {}
    assert len(pool.links) == 1


def test_while_another_model_waits_for_memory_a_worker_leaves_when_its_start_is_worth_it() -> None:
    """50 MiB, 3 s to start, 1 MiB and 1 s per job: after sqrt(52 * 3 / (1 * 1)), 12.5 jobs."""
    pool = auto_pool("grower", "other", budget_mib=400, workers=2)
    pool.registry.model_queues["other"].measured_bytes = 280 * MIB
    pool.submit("grower")
    worker = start(pool)
    pool.now += 1
    pool.done(worker)
    for _ in range(49):
        work(pool, worker, grows_mib=1)
    assert worker.state is WorkerState.IDLE, "nobody waits: what is free costs nothing"
    pool.submit("grower")
    pool.submit("other")  # needs 308 MiB, and 301 are free
    assert worker.state is WorkerState.BUSY
    pool.now += 1
    pool.done(worker)
    assert worker.state is WorkerState.LEAVING
    pool.reap_leaving()
    assert pool.exits() == {"jobs": 1}
    assert {link.worker.model_queue.name for link in pool.links} >= {"other"}


def test_stats_say_what_was_learnt() -> None:
    from orchestrator.pool.stats import take_stats

    pool = auto_pool("m", budget_mib=1000, prestart="m")
    worker = start(pool)
    for _ in range(20):
        work(pool, worker, grows_mib=5)
    (model,) = take_stats(pool.registry, pool.now).models
    growth = model.growth
    assert growth is not None
    assert (growth.rate, growth.certain, growth.lives) == (5 * MIB, True, 1)
    assert growth.largest_rise_bytes == 5 * MIB
    assert growth.base_bytes == 55 * MIB
    assert growth.best_jobs is not None
    assert FakePool("m").registry.model_queues["m"].learner is None


def test_a_trim_is_told_to_the_learner() -> None:
    pool = FakePool(
        "m", budget_bytes=1000 * MIB, prestart="m", recycle=Recycle(auto=True, trim_every=3, jitter=0)
    )
    worker = start(pool)
    for _ in range(3):
        work(pool, worker, grows_mib=20)
    assert worker.state is WorkerState.TRIMMING
    worker.link.rss -= 50 * MIB  # type: ignore[attr-defined]
    pool.trimmed(worker)
    assert worker.trace is not None
    assert worker.trace.last == 60 * MIB

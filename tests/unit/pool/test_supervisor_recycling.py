"""The supervisor on fake workers and a fake clock: when workers are replaced, and limits of memory."""

import signal

import pytest
from fake_pool import MIB, FakePool

from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.recycling import Recycle
from orchestrator_worker.protocol import Failed, Shutdown, Trim

# ------------------------------------------------------------------ recycling


def work(pool: FakePool, count: int) -> None:
    for _ in range(count):
        pool.submit()
        pool.ready_all()
        pool.done(pool.worker())


def test_the_successor_is_loaded_while_the_last_job_runs() -> None:
    pool = FakePool(recycle=Recycle(max_jobs=2))
    work(pool, 1)
    pool.submit()
    slot = pool.registry.slots[0]
    assert slot.successor is not None
    old = pool.worker()
    pool.ready(slot.successor)
    assert pool.worker() is old, "a reserve waits until the old one is due"
    pool.done(old)
    assert old.state is WorkerState.LEAVING
    assert isinstance(old.link.sent[-1], Shutdown)
    assert pool.worker().generation == 2
    pool.reap_leaving()
    assert pool.exits() == {"jobs": 1}


def test_without_room_for_both_the_old_one_goes_first() -> None:
    pool = FakePool(recycle=Recycle(max_jobs=1), budget_bytes=100 * MIB, need_mib=60)
    work(pool, 1)
    assert len(pool.links) == 1
    pool.submit()
    assert len(pool.links) == 1, "memory is given back only when the process is gone"
    pool.reap_leaving()
    assert [link.worker.generation for link in pool.links] == [2]


def test_at_its_last_job_a_worker_stops_even_if_the_successor_is_not_ready() -> None:
    pool = FakePool(recycle=Recycle(max_jobs=1))
    pool.submit()
    second = pool.submit()
    pool.ready(pool.worker())
    old = pool.worker()
    assert pool.registry.slots[0].successor is not None
    pool.done(old)
    assert old.state is WorkerState.LEAVING
    assert second.state is JobState.WAITING
    pool.ready_all()
    assert second.worker.generation == 2


def test_past_its_rss_a_worker_goes_on_until_the_successor_is_loaded() -> None:
    pool = FakePool(recycle=Recycle(max_rss=100 * MIB, jitter=0))
    work(pool, 1)
    old = pool.worker()
    old.link.rss = 101 * MIB
    work_job = pool.submit()
    pool.done(old)
    assert pool.ending(work_job) == "value"
    assert pool.registry.slots[0].successor is not None
    third = pool.submit()
    assert third.worker is old
    pool.ready(pool.registry.slots[0].successor)
    pool.done(old)
    assert old.dismissed_for == "rss"
    assert pool.worker().generation == 2


def test_age_and_idleness_come_with_the_clock() -> None:
    pool = FakePool(recycle=Recycle(max_age_s=100, max_idle_s=30, jitter=0))
    work(pool, 1)
    pool.wait(29)
    assert pool.worker().state is WorkerState.IDLE
    pool.wait(2)
    pool.reap_leaving()
    assert pool.exits() == {"idle": 1}
    assert pool.links == []
    work(pool, 1)
    for _ in range(5):
        pool.wait(20)
        if pool.worker().state is WorkerState.IDLE:
            work(pool, 1)
    pool.ready_all()
    pool.reap_leaving()
    assert pool.exits() == {"idle": 1, "age": 1}


@pytest.mark.parametrize("short", ["of memory", "of descriptors"])
def test_a_worker_that_is_past_its_age_when_it_is_loaded_does_a_job_first(short: str) -> None:
    """Where there is no room for its successor: else its jobs would wait for ever, for one start after the other."""
    tight = {"budget_bytes": 70 * MIB} if short == "of memory" else {}
    pool = FakePool(recycle=Recycle(max_age_s=1, jitter=0), **tight)
    job = pool.submit()
    pool.host_is_short = 1_000 if short == "of descriptors" else 0
    pool.wait(5)
    pool.ready(pool.worker())
    assert pool.worker().job is job
    pool.done(pool.worker())
    pool.reap_leaving()
    assert job.state is JobState.ENDED
    assert pool.exits() == {"age": 1}


def test_hard_rss_is_enforced_in_the_middle_of_a_job() -> None:
    pool = FakePool(recycle=Recycle(hard_rss=200 * MIB))
    job = pool.submit()
    pool.ready_all()
    link = pool.links[0]
    link.rss = 201 * MIB
    pool.wait(0.021)
    assert link.signals == [signal.SIGKILL]
    pool.die(link.worker, -9)
    assert "201 MiB resident, the limit is 200 MiB" in str(pool.ending(job))
    assert pool.exits() == {"hard-rss": 1}


def test_hard_rss_holds_for_a_worker_that_was_told_to_go_too() -> None:
    pool = FakePool(recycle=Recycle(hard_rss=200 * MIB))
    job = pool.submit(timeout_s=1.0)
    pool.ready_all()
    link = pool.links[0]
    pool.wait(1.6)
    assert pool.ending(job).where == "run"
    assert link.signals == [signal.SIGTERM], "it was asked to give up, and did not"
    link.rss = 201 * MIB
    pool.wait(0.021)
    assert link.signals == [signal.SIGTERM, signal.SIGKILL]
    pool.wait(0.1)
    assert link.signals == [signal.SIGTERM, signal.SIGKILL]
    pool.die(link.worker, -9)
    assert pool.exits() == {"timeout": 1}


def test_the_heap_is_trimmed_every_so_often() -> None:
    pool = FakePool(recycle=Recycle(trim_every=2))
    work(pool, 2)
    assert pool.worker().state is WorkerState.TRIMMING
    assert isinstance(pool.links[0].sent[-1], Trim)
    pool.trimmed(pool.worker())
    work(pool, 1)
    assert pool.exits() == {}


def test_a_trim_without_end_costs_the_worker() -> None:
    pool = FakePool(recycle=Recycle(trim_every=1))
    work(pool, 1)
    pool.wait(11)
    assert pool.links[0].signals


# ------------------------------------------------------------------ memory


def test_what_a_model_needs_is_learnt() -> None:
    pool = FakePool(budget_bytes=1000 * MIB, need_mib=300)
    pool.submit()
    assert pool.registry.budget.reserved_bytes == 64 * MIB
    pool.ready_all()
    assert pool.registry.budget.reserved_bytes == int(330 * MIB)
    pool.links[0].rss = 400 * MIB
    pool.done(pool.worker())
    assert pool.registry.budget.reserved_bytes == int(440 * MIB)


def test_an_overshoot_is_reported_not_reserved() -> None:
    pool = FakePool(budget_bytes=100 * MIB, need_mib=300)
    pool.submit()
    pool.ready_all()
    pool.wait(0.05)
    assert pool.registry.budget.reserved_bytes == 100 * MIB
    assert pool.registry.metrics.overshoot_peak_bytes == 200 * MIB


def test_a_successor_that_took_over_counts_as_a_worker_of_its_model() -> None:
    pool = FakePool(recycle=Recycle(max_jobs=1))
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    assert pool.worker().generation == 2
    assert pool.worker().model_queue.workers == {pool.worker()}


def test_a_trim_that_fails_is_over_too() -> None:
    pool = FakePool(recycle=Recycle(trim_every=1))
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    worker = pool.worker()
    assert worker.state is WorkerState.TRIMMING
    pool.receive(worker, Failed(0, "error", "OSError", "no malloc_trim here"))
    assert worker.state is WorkerState.IDLE
    assert pool.submit().state is JobState.RUNNING

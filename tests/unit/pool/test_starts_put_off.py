"""The host is short of something, or a model is out of use: who goes on, and when a start is tried again."""

import errno

import pytest
from fake_pool import FakePool

from orchestrator.errors import HostShortageError, ModelOutOfUseError
from orchestrator.pool.core.restart_limit import FIRST_REST_S, LONGEST_PAUSE_S
from orchestrator.pool.core.states import JobState
from orchestrator.pool.stats import take_stats

ALWAYS = 1 << 30


def test_a_shortage_is_nobodys_fault_and_the_workers_there_are_go_on() -> None:
    pool = FakePool(workers=8, prestart="function")
    pool.ready_all()
    first = [pool.submit() for _ in range(3)]
    for worker in [worker for worker in pool.registry.workers() if worker.job is None]:
        pool.host_is_short = ALWAYS
        pool.die(worker)
    jobs = [*first, *(pool.submit() for _ in range(20))]
    while any(job.state is not JobState.ENDED for job in jobs):
        pool.done(next(worker for worker in pool.registry.workers() if worker.job))
        pool.wait(40.0)
    assert [pool.ending(job) for job in jobs] == ["value"] * 23
    assert len(pool.warnings) == 1
    assert "no descriptors left" in (take_stats(pool.registry, pool.now).shortage or "")


def test_it_is_tried_again_with_growing_pauses_and_said_once() -> None:
    pool = FakePool(workers=1, start_timeout_s=1e6)
    pool.host_is_short = ALWAYS
    job = pool.submit()
    pool.wait(1.0)
    tries = ALWAYS - pool.host_is_short
    assert 2 <= tries <= 5
    pool.wait(600.0)
    assert ALWAYS - pool.host_is_short - tries <= 600 / LONGEST_PAUSE_S + 8
    assert len(pool.warnings) == 1
    pool.host_is_short = 0
    pool.wait(LONGEST_PAUSE_S)
    pool.ready_all()
    pool.done(pool.worker())
    assert pool.ending(job) == "value"
    assert take_stats(pool.registry, pool.now).shortage is None


def test_a_job_waits_for_a_worker_no_longer_than_a_start_may_take() -> None:
    pool = FakePool(start_timeout_s=100.0)
    pool.host_is_short = ALWAYS
    job = pool.submit()
    pool.wait(99.0)
    assert job.state is JobState.WAITING
    pool.wait(100.0)
    assert isinstance(pool.ending(job), HostShortageError)
    pool.host_is_short = 0
    again = pool.submit()
    pool.wait(LONGEST_PAUSE_S)
    pool.ready_all()
    pool.done(pool.worker())
    assert pool.ending(again) == "value"


def test_one_idle_worker_of_another_model_makes_room_and_the_others_stay() -> None:
    pool = FakePool("a", "b", workers=8)
    jobs = [pool.submit("a") for _ in range(4)]
    pool.ready_all()
    for worker in list(pool.registry.workers()):
        pool.done(worker)
    pool.host_is_short = 1
    other = pool.submit("b")
    pool.wait(0.05)
    assert len(pool.registry.leaving) == 1
    assert len(list(pool.registry.workers())) == 3
    pool.reap_leaving()
    pool.ready_all()
    pool.done(next(worker for worker in pool.registry.workers() if worker.job))
    assert pool.ending(other) == "value"
    assert [pool.ending(job) for job in jobs] == ["value"] * 4


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EAGAIN, errno.ENOMEM])
def test_a_load_that_the_host_refuses_is_put_off_too(number: int) -> None:
    pool = FakePool(workers=1)
    job = pool.submit()
    for _ in range(5):
        worker = pool.worker()
        pool.failed(worker, message=f"[Errno {number}] no more: 'model.bin'")
        pool.reap_leaving()
        assert not list(pool.registry.workers()), "not at once: that would be a storm of processes"
        pool.wait(LONGEST_PAUSE_S)
    pool.ready_all()
    pool.done(pool.worker())
    assert pool.ending(job) == "value"


def test_a_load_that_fails_for_another_reason_is_the_models_fault() -> None:
    pool = FakePool(workers=1)
    job = pool.submit()
    for _ in range(3):
        pool.failed(pool.worker(), message=f"[Errno {errno.EACCES}] not yours")
        pool.reap_leaving()
    assert isinstance(pool.ending(job), ModelOutOfUseError)


# ------------------------------------------------------------------ a model out of use


def out_of_use(pool: FakePool) -> None:
    pool.spawn_fails = 3
    job = pool.submit()
    pool.wait(0.0)
    assert isinstance(pool.ending(job), ModelOutOfUseError)


def test_a_model_out_of_use_is_tried_again_after_a_rest_one_start_at_a_time() -> None:
    pool = FakePool(workers=4)
    for worker in list(pool.registry.workers()):
        pool.die(worker)
    out_of_use(pool)
    assert isinstance(pool.ending(pool.submit()), ModelOutOfUseError)
    pool.wait(FIRST_REST_S)
    jobs = [pool.submit() for _ in range(3)]
    assert len(pool.links) == 1, "one start, to see"
    pool.ready_all()
    for _ in jobs:
        pool.done(next(worker for worker in pool.registry.workers() if worker.job))
    assert [pool.ending(job) for job in jobs] == ["value"] * 3


def test_a_trial_that_fails_refuses_its_jobs_and_rests_longer() -> None:
    pool = FakePool(workers=4)
    for worker in list(pool.registry.workers()):
        pool.die(worker)
    out_of_use(pool)
    pool.wait(FIRST_REST_S)
    pool.spawn_fails = 1
    assert isinstance(pool.ending(pool.submit()), ModelOutOfUseError)
    pool.wait(FIRST_REST_S)
    assert isinstance(pool.ending(pool.submit()), ModelOutOfUseError)
    pool.wait(FIRST_REST_S)
    job = pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    assert pool.ending(job) == "value"


def test_workers_that_live_serve_a_model_out_of_use() -> None:
    pool = FakePool(workers=4)
    pool.submit()
    pool.ready_all()
    alive, *dying = pool.registry.workers()
    pool.spawn_fails = ALWAYS
    running = pool.submit()
    waiting = [pool.submit() for _ in range(12)]
    for worker in dying:
        pool.die(worker)
    assert alive.model_queue.out_of_use is not None
    while any(job.state is JobState.WAITING for job in waiting):
        pool.done(alive)
    pool.done(alive)
    assert [pool.ending(job) for job in waiting] == ["value"] * 12
    assert running.state is JobState.ENDED
    last = pool.submit()
    behind = pool.submit()
    pool.die(alive)
    assert last.state is JobState.ENDED
    assert isinstance(pool.ending(behind), ModelOutOfUseError), "nobody is left"

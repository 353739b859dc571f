"""A worker with prefetched jobs dies or is made to leave: only its running job is affected."""

import signal

from fake_pool import FakePool
from quick_jobs import assert_even, quick_pool, states, with_prefetched, work_off

from orchestrator.errors import (
    JobCancelledError,
    JobPoisonedError,
    ModelOutOfUseError,
    ProtocolError,
    WorkerDiedError,
)
from orchestrator.pool.core.entities import JobRecord, Worker
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.retries import Retry
from orchestrator_worker.protocol import Chunk

SENT, WAITING, RUNNING, ENDED = JobState.SENT, JobState.WAITING, JobState.RUNNING, JobState.ENDED


def leaving_with_a_job_begun(pool: FakePool) -> tuple[Worker, list[JobRecord]]:
    """A worker had begun the next prefetched job when it was told to go for the one before; we do not know yet."""
    jobs = with_prefetched(pool, 3)
    worker = pool.worker()
    pool.end_job(worker, seconds=0.0)
    pool.cancel(jobs[0])
    assert states(jobs) == [ENDED, SENT, WAITING, WAITING]
    pool.wait(0.5)
    assert worker.state is WorkerState.LEAVING
    assert worker.link.signals == [signal.SIGTERM]
    return worker, jobs


# ------------------------------------------------------------------ dead


def test_a_death_costs_the_job_at_the_front_and_no_other() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 5)
    pool.die(pool.worker())
    assert isinstance(pool.ending(jobs[0]), WorkerDiedError)
    assert states(jobs[1:]) == [WAITING] * 5
    pool.ready_all()
    assert {job.worker.generation for job in jobs[1:] if job.state is not WAITING} == {2}
    work_off(pool)
    assert [pool.ending(job) for job in jobs[1:]] == ["value"] * 5
    assert all(job.attempts == () for job in jobs[1:])
    assert_even(pool)


def test_the_front_is_the_first_without_an_answer_when_the_stderr_tail_are_heard() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 5)
    for _ in range(3):
        pool.end_job(pool.worker(), seconds=0.0)
    pool.die(pool.worker())
    assert [pool.ending(job) for job in jobs[:3]] == ["value"] * 3
    assert isinstance(pool.ending(jobs[3]), WorkerDiedError)
    assert states(jobs[4:]) == [WAITING] * 2


def test_the_job_at_the_front_is_tried_again_and_keeps_its_turn() -> None:
    pool = quick_pool(retry=Retry.up_to(2))
    jobs = with_prefetched(pool, 3)
    pool.die(pool.worker())
    pool.wait(0.0)
    assert states(jobs) == [WAITING] * 4
    pool.ready_all()
    assert pool.worker().job is jobs[0]
    assert [len(job.attempts) for job in jobs] == [1, 0, 0, 0]
    pool.die(pool.worker())
    assert isinstance(pool.ending(jobs[0]), JobPoisonedError)
    pool.ready_all()
    work_off(pool)
    assert [pool.ending(job) for job in jobs[1:]] == ["value"] * 3
    assert_even(pool)


def test_a_job_that_kills_every_worker_from_within_a_line_is_found_out() -> None:
    pool = quick_pool(retry=Retry.up_to(2))
    jobs = with_prefetched(pool, 4)
    killer = jobs[2]
    while killer.state is not ENDED:
        worker = pool.worker()
        if worker.job is killer:
            pool.die(worker)
            pool.wait(0.0)
            pool.ready_all()
        else:
            pool.done(worker, seconds=0.0)
    assert isinstance(pool.ending(killer), JobPoisonedError)
    work_off(pool)
    assert all(job.attempts == () for job in jobs if job is not killer)
    assert_even(pool)


def test_garbage_costs_the_job_at_the_front_and_no_other() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    worker = pool.worker()
    pool.supervisor.broke_protocol(worker, ProtocolError("garbage"), pool.now)
    pool.settle()
    assert states(jobs) == [RUNNING] + [WAITING] * 3
    pool.reap_leaving()
    assert "broken protocol" in str(pool.ending(jobs[0]))
    pool.ready_all()
    work_off(pool)
    assert [pool.ending(job) for job in jobs[1:]] == ["value"] * 3
    assert_even(pool)


def test_a_job_that_was_cancelled_when_it_had_begun_dies_unnoticed() -> None:
    pool = quick_pool(retry=Retry.up_to(3))
    jobs = with_prefetched(pool, 3)
    pool.end_job(pool.worker(), seconds=0.0)
    pool.cancel(jobs[1])
    pool.die(pool.worker())
    assert isinstance(pool.ending(jobs[1]), JobCancelledError)
    assert pool.registry.metrics.retries == 0
    pool.ready_all()
    work_off(pool)
    assert_even(pool)


def prefetched_of_a_model_out_of_use(pool: FakePool) -> tuple[Worker, list[JobRecord]]:
    """A worker with prefetched jobs works on, although its model was taken out: no other could be started."""
    pool.submit()
    pool.submit()
    for _ in range(9):
        pool.submit()
    pool.done(pool.worker(0), seconds=0.0)
    worker = pool.worker(0)
    while worker.model_queue.out_of_use is None:
        pool.die(pool.worker(1), 1)
        pool.wait(0.0)
    stood = list(worker.prefetched)
    assert stood
    assert states(stood) == [SENT] * len(stood), "its own worker may still do them"
    return worker, stood


def test_a_line_of_a_model_that_went_out_of_use_is_refused_with_it() -> None:
    pool = quick_pool(workers=2)
    worker, stood = prefetched_of_a_model_out_of_use(pool)
    front, spawns = worker.job, pool.registry.metrics.spawns
    pool.die(worker)
    assert isinstance(pool.ending(front), WorkerDiedError)
    assert all(isinstance(pool.ending(job), ModelOutOfUseError) for job in stood)
    assert pool.registry.metrics.spawns == spawns, "none is started of a model that is out of use"
    assert_even(pool)


def test_a_cancel_in_a_prefetched_of_a_model_out_of_use_ends_its_own_job_once() -> None:
    pool = quick_pool(workers=2)
    worker, stood = prefetched_of_a_model_out_of_use(pool)
    pool.cancel(stood[1])
    pool.ending(stood[1])
    while worker.job is not None:
        pool.done(worker, seconds=0.0)
    assert_even(pool)


# ------------------------------------------------------------------ made to leave


def test_a_leaving_worker_may_still_end_what_it_had_begun() -> None:
    pool = quick_pool()
    worker, jobs = leaving_with_a_job_begun(pool)
    pool.hear(worker)
    assert jobs[1].state is RUNNING
    pool.done(worker, "in the last moment")
    assert pool.ending(jobs[1]) == "in the last moment"
    assert isinstance(pool.ending(jobs[0]), JobCancelledError)
    pool.reap_leaving()
    pool.ready_all()
    work_off(pool)
    assert pool.exits() == {"cancel": 1}
    assert_even(pool)


def test_a_leaving_worker_that_is_at_its_next_job_is_killed_in_time_all_the_same() -> None:
    pool = quick_pool()
    worker, jobs = leaving_with_a_job_begun(pool)
    pool.hear(worker)
    pool.wait(0.99)
    assert worker.link.signals == [signal.SIGTERM]
    pool.wait(0.02)
    assert worker.link.signals == [signal.SIGTERM, signal.SIGKILL]
    pool.die(worker, -9)
    assert isinstance(pool.ending(jobs[1]), WorkerDiedError), "it had begun"
    pool.ready_all()
    work_off(pool)
    assert_even(pool)


def test_text_of_a_job_in_a_leaving_worker_reaches_its_caller() -> None:
    pool = quick_pool()
    worker, jobs = leaving_with_a_job_begun(pool)
    pool.receive(worker, Chunk(jobs[1].id, "too early"))
    pool.hear(worker)
    pool.receive(worker, Chunk(jobs[1].id, "word"))
    pool.cancel(jobs[1])
    pool.receive(worker, Chunk(jobs[1].id, "too late"))
    assert jobs[1].promise.chunks == ["word"]


def test_what_a_leaving_worker_gives_back_it_has_not_begun() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    worker = pool.worker()
    worker.link.look()
    pool.cancel(jobs[0])
    pool.wait(0.5)
    assert worker.state is WorkerState.LEAVING
    assert states(jobs) == [ENDED, SENT, SENT, SENT]
    pool.hear(worker)
    assert states(jobs) == [ENDED, WAITING, WAITING, WAITING]
    pool.done(worker)
    assert worker.job is None
    pool.reap_leaving()
    pool.ready_all()
    work_off(pool)
    assert [pool.ending(job) for job in jobs[1:]] == ["value"] * 3
    assert all(job.attempts == () for job in jobs)
    assert_even(pool)


def test_a_worker_killed_by_stop_ends_nobody_twice() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    pool.end_job(pool.worker(), seconds=0.0)
    worker = pool.worker()
    pool.supervisor.stop(pool.now)
    pool.settle()
    pool.hear(worker)
    pool.die(worker, -9)
    assert all(isinstance(pool.ending(job), JobCancelledError) for job in jobs)
    assert pool.supervisor.finished
    assert_even(pool)

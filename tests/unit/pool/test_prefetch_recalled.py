"""Prefetched jobs that are recalled: cancelled, behind a long job, given back by the worker, at the pool's end."""

import pytest
from fake_pool import FakePool
from quick_jobs import assert_even, quick_pool, states, with_prefetched, work_off

from orchestrator.errors import JobCancelledError, JobTimeoutError
from orchestrator.pool.core.entities import JobRecord
from orchestrator.pool.core.prefetch import LONG_JOB_S, MOST_PREFETCHED
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.events import JobEnded
from orchestrator.pool.options import SAMPLE_INTERVAL_S
from orchestrator.pool.stats import PoolStats, take_stats
from orchestrator_worker.protocol import Cancel, Returned

SENT, WAITING, RUNNING, ENDED = JobState.SENT, JobState.WAITING, JobState.RUNNING, JobState.ENDED


def stats(pool: FakePool) -> PoolStats:
    return take_stats(pool.registry, pool.now)


def order_of_endings(pool: FakePool) -> list[int]:
    return [event.job for event in pool.events if isinstance(event, JobEnded)]


def cancels(pool: FakePool) -> list[int]:
    return [command.id for command in pool.worker().link.sent if isinstance(command, Cancel)]


def begin_ahead(pool: FakePool, jobs: list[JobRecord]) -> None:
    """The worker ends all of ``jobs`` but the last, and is at that; nobody has heard of it yet."""
    for _ in jobs[1:]:
        pool.end_job(pool.worker(), seconds=0.0)
    assert pool.worker().link.jobs[0] == jobs[-1].id


# ------------------------------------------------------------------ cancelled


def test_a_job_in_line_is_cancelled_like_one_in_the_queue() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 4)
    pool.cancel(jobs[2])
    assert isinstance(pool.ending(jobs[2]), JobCancelledError)
    assert states(jobs) == [RUNNING, WAITING, ENDED, WAITING, WAITING]
    assert pool.worker().link.jobs == [jobs[0].id]
    assert cancels(pool) == []
    work_off(pool)
    assert pool.worker().link.frames.count(b"%d" % jobs[2].id) == 1
    assert order_of_endings(pool)[-5:] == [jobs[place].id for place in (2, 0, 1, 3, 4)]
    assert_even(pool)


def test_all_of_a_line_can_be_cancelled_one_by_one() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, MOST_PREFETCHED)
    for job in jobs[1:]:
        pool.cancel(job)
    pool.done(pool.worker(), seconds=0.0)
    assert pool.worker().state is WorkerState.IDLE
    assert cancels(pool) == []
    assert_even(pool)


def test_a_cancelled_job_that_had_begun_is_given_up_as_soon_as_we_hear_of_it() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    begin_ahead(pool, jobs[:2])
    pool.cancel(jobs[1])
    assert isinstance(pool.ending(jobs[1]), JobCancelledError), "its caller does not wait"
    assert states(jobs) == [RUNNING, ENDED, WAITING, WAITING], "the rest had not begun"
    assert cancels(pool) == []
    pool.hear(pool.worker())
    assert pool.ending(jobs[0]) == "value"
    assert pool.worker().state is WorkerState.CANCELLING
    assert cancels(pool) == [jobs[1].id]
    pool.failed(pool.worker(), "cancelled")
    assert jobs[2].state is RUNNING
    work_off(pool)
    assert_even(pool)


def test_an_answer_for_a_job_that_was_cancelled_when_it_had_begun_is_nobodys() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    begin_ahead(pool, jobs[:3])
    pool.cancel(jobs[1])
    pool.hear(pool.worker())
    assert isinstance(pool.ending(jobs[1]), JobCancelledError)
    assert pool.worker().job is jobs[2]
    work_off(pool)
    assert_even(pool)


def test_a_cancel_that_is_still_on_its_way_to_us_counts_when_its_job_begins() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 2)
    jobs[1].promise.cancelled = True
    pool.done(pool.worker(), seconds=0.0)
    assert isinstance(pool.ending(jobs[1]), JobCancelledError)
    assert cancels(pool) == [jobs[1].id]
    assert jobs[2].state is WAITING
    pool.cancel(jobs[1])
    pool.failed(pool.worker(), "cancelled")
    work_off(pool)
    assert_even(pool)


def test_a_cancel_of_the_job_before_a_line_frees_the_line() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    pool.cancel(jobs[0])
    assert states(jobs) == [ENDED, WAITING, WAITING, WAITING]
    assert cancels(pool) == [jobs[0].id]
    pool.failed(pool.worker(), "cancelled")
    assert states(jobs[1:]) == [RUNNING, SENT, SENT]
    work_off(pool)
    assert_even(pool)


def test_behind_a_cancel_nothing_is_taken_back_any_more() -> None:
    """What lies before a Cancel in the pipe could only be reached through it."""
    pool = quick_pool()
    jobs = with_prefetched(pool, 2)
    pool.end_job(pool.worker(), seconds=0.0)
    link = pool.worker().link
    link.read = 0
    link.begin(partly=True)
    pool.cancel(jobs[0])
    assert states(jobs) == [ENDED, SENT, WAITING]
    pool.cancel(jobs[1])
    pool.wait(0.5)
    assert pool.registry.leaving
    pool.reap_leaving()
    pool.ready_all()
    work_off(pool)
    assert_even(pool)


def test_behind_a_cancel_nothing_is_sent_ahead_until_the_line_is_done() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 8)
    jobs += [pool.submit() for _ in range(60)]
    begin_ahead(pool, jobs[:3])
    pool.cancel(jobs[0])
    assert states(jobs[:4]) == [ENDED, SENT, SENT, WAITING]
    pool.hear(pool.worker(), 1)
    assert pool.worker().job is jobs[1]
    assert list(pool.worker().prefetched) == [jobs[2]]
    pool.hear(pool.worker())
    assert pool.worker().job is jobs[2]
    assert list(pool.worker().prefetched)[:8] == jobs[3:11]
    work_off(pool)
    assert_even(pool)


def test_a_job_that_was_begun_stays_whole_whoever_wants_its_line() -> None:
    pool = quick_pool()
    pool.submit()
    first, done, begun, last = [pool.submit(size=size) for size in (60, 60, 2000, 60)]
    pool.done(pool.worker(), seconds=0.0)
    for _ in range(2):
        pool.end_job(pool.worker(), seconds=0.0, then_begin=False)
    pool.worker().link.begin(partly=True)
    pool.cancel(begun)
    assert states([first, done, begun, last]) == [RUNNING, SENT, ENDED, WAITING]
    urgent = pool.submit(priority=1)
    assert pool.worker().link.jobs == [begun.id]
    pool.hear(pool.worker())
    assert pool.worker().state is WorkerState.CANCELLING
    work_off(pool)
    assert order_of_endings(pool)[-2:] == [urgent.id, last.id]
    assert_even(pool)


# ------------------------------------------------------------------ time


def test_a_timeout_counts_from_the_start_and_not_from_the_sending() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 12, timeout_s=0.05)
    for job in jobs[:-1]:
        assert pool.worker().job is job
        pool.wait(0.009)
        pool.done(pool.worker(), seconds=0.009)
    last = jobs[-1]
    assert last.worker is pool.worker()
    assert last.state is RUNNING
    pool.wait(0.049)
    assert last.state is RUNNING
    pool.wait(0.002)
    assert pool.ending(last).where == "run"
    assert [pool.ending(job) for job in jobs[:-1]] == ["value"] * 12


def test_a_job_whose_time_is_over_costs_its_worker_and_nobody_in_line() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3, timeout_s=0.005)
    pool.wait(0.005)
    assert isinstance(pool.ending(jobs[0]), JobTimeoutError)
    assert states(jobs[1:]) == [WAITING] * 3
    assert cancels(pool) == [jobs[0].id]
    pool.wait(0.5)
    pool.reap_leaving()
    pool.ready_all()
    assert jobs[1].worker.generation == 2
    work_off(pool)
    assert all(job.attempts == () for job in jobs)
    assert pool.exits() == {"timeout": 1}
    assert_even(pool)


def test_a_line_does_not_wait_behind_a_job_that_turns_out_long() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 4)
    pool.wait(LONG_JOB_S + SAMPLE_INTERVAL_S)
    assert states(jobs) == [RUNNING] + [WAITING] * 4
    assert pool.worker().link.jobs == [jobs[0].id]
    pool.done(pool.worker(), seconds=0.0)
    work_off(pool)
    assert_even(pool)


def test_another_worker_does_what_stood_behind_a_long_job() -> None:
    pool = quick_pool(workers=2)
    jobs = [pool.submit() for _ in range(2 + 9)]
    pool.done(pool.worker(0), seconds=0.0)
    long, line = pool.worker(0).job, list(pool.worker(0).prefetched)
    assert len(line) == 4
    while pool.worker(1).job is not None:
        pool.done(pool.worker(1), seconds=0.0)
    assert states(line) == [SENT] * 4
    pool.wait(LONG_JOB_S + SAMPLE_INTERVAL_S)
    assert long.state is RUNNING
    assert {job.worker for job in line if job.state is not WAITING} == {pool.worker(1)}
    while pool.worker(1).job is not None:
        pool.done(pool.worker(1), seconds=0.0)
    assert [pool.ending(job) for job in line] == ["value"] * 4
    work_off(pool)
    assert states(jobs) == [ENDED] * len(jobs)
    assert_even(pool)


# ------------------------------------------------------------------ given back by the worker


def test_what_a_worker_read_past_it_gives_back_and_does_later() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    late = pool.submit()
    pool.worker().link.look()
    pool.hear(pool.worker())
    assert states([*jobs, late]) == [RUNNING] + [WAITING] * 4
    assert stats(pool).queue_length == 4
    work_off(pool)
    assert order_of_endings(pool)[-5:] == [*(job.id for job in jobs), late.id]
    assert all(job.attempts == () for job in jobs)
    assert_even(pool)


def test_what_is_given_back_goes_to_a_worker_that_is_free() -> None:
    pool = quick_pool(workers=2)
    for _ in range(2 + 5):
        pool.submit()
    pool.done(pool.worker(0), seconds=0.0)
    line = list(pool.worker(0).prefetched)
    while pool.worker(1).job is not None:
        pool.done(pool.worker(1), seconds=0.0)
    pool.worker(0).link.look()
    pool.hear(pool.worker(0))
    assert line[0].worker is pool.worker(1)
    assert line[0].state is RUNNING
    work_off(pool)
    assert_even(pool)


def test_a_cancelled_job_that_the_worker_gives_back_is_over() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    pool.worker().link.look()
    pool.cancel(jobs[2])
    assert states(jobs) == [RUNNING, SENT, ENDED, SENT]
    pool.hear(pool.worker())
    assert states(jobs) == [RUNNING, WAITING, ENDED, WAITING]
    work_off(pool)
    assert isinstance(pool.ending(jobs[2]), JobCancelledError)
    assert_even(pool)


@pytest.mark.parametrize("whose", ["the job it is at", "a job of the queue", "nobody's"])
def test_giving_back_what_was_not_in_line_breaks_the_protocol(whose: str) -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 2)
    queued = pool.submit()
    worker = pool.worker()
    number = {"the job it is at": jobs[0].id, "a job of the queue": queued.id}.get(whose, 999)
    pool.receive(worker, Returned(number))
    assert worker.state is WorkerState.LEAVING
    pool.reap_leaving()
    assert pool.exits() == {"protocol": 1}
    assert "broken protocol" in str(pool.ending(jobs[0]))
    pool.ready_all()
    work_off(pool)
    assert [pool.ending(job) for job in [*jobs[1:], queued]] == ["value"] * 3
    assert_even(pool)


# ------------------------------------------------------------------ the pool's end


def test_close_finishes_lines_too() -> None:
    pool = quick_pool(workers=2)
    jobs = [pool.submit() for _ in range(50)]
    pool.done(pool.worker(0), seconds=0.0)
    pool.supervisor.close(pool.now)
    pool.settle()
    work_off(pool)
    pool.reap_leaving()
    assert pool.supervisor.finished
    assert [pool.ending(job) for job in jobs] == ["value"] * 50
    assert_even(pool)


def test_stop_drops_lines_too_and_counts_nothing_that_is_over() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 5)
    begin_ahead(pool, jobs[:2])
    pool.supervisor.stop(pool.now)
    pool.settle()
    assert stats(pool).queue_length == 0
    assert pool.places == 0
    pool.reap_leaving()
    assert pool.supervisor.finished
    assert all(isinstance(pool.ending(job), JobCancelledError) for job in jobs)
    assert_even(pool)


def test_cancelling_all_that_waits_means_lines_too() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 5)
    pool.supervisor.cancel_waiting(pool.now)
    pool.settle()
    assert states(jobs) == [RUNNING] + [ENDED] * 5
    pool.done(pool.worker(), seconds=0.0)
    assert pool.ending(jobs[0]) == "value"
    assert cancels(pool) == []
    assert_even(pool)


# ------------------------------------------------------------------ what is counted


def test_a_job_in_line_counts_as_one_that_waits() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 5)
    queued = pool.submit()
    assert (stats(pool).queue_length, stats(pool).running) == (6, 1)
    assert pool.places == 6
    pool.cancel(jobs[5])
    assert (stats(pool).queue_length, stats(pool).running) == (5, 1)
    assert pool.places == 5
    pool.done(pool.worker(), seconds=0.0)
    assert (stats(pool).queue_length, stats(pool).running) == (4, 1)
    assert pool.places == 4
    assert queued.state is not ENDED
    work_off(pool)
    assert (stats(pool).queue_length, stats(pool).running) == (0, 0)
    assert stats(pool).outcomes == {"call": {"result": len(pool.jobs) - 1, "cancelled": 1}}


def test_a_job_that_is_over_for_its_caller_waits_for_nothing() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    begin_ahead(pool, jobs[:2])
    pool.cancel(jobs[1])
    assert stats(pool).queue_length == 2
    assert pool.places == 2

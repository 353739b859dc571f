"""Jobs sent ahead: which ones, how many, and in which order they come out."""

import pytest
from fake_pool import MIB, FakePool
from quick_jobs import assert_even, quick_pool, states, with_prefetched, work_off

from orchestrator.pool.core.prefetch import FEW_PREFETCHED, LARGEST_FRAME, MOST_PREFETCHED
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.events import JobEnded
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stats import take_stats

SENT, WAITING, RUNNING = JobState.SENT, JobState.WAITING, JobState.RUNNING


def line_length(pool: FakePool, slot: int = 0) -> int:
    return len(pool.worker(slot).prefetched)


# ------------------------------------------------------------------ which jobs


def test_nothing_is_sent_ahead_before_a_job_has_shown_to_be_short() -> None:
    pool = FakePool()
    jobs = [pool.submit() for _ in range(6)]
    pool.ready_all()
    assert states(jobs) == [RUNNING] + [WAITING] * 5
    pool.done(pool.worker(), seconds=0.0)
    assert states(jobs[1:]) == [RUNNING] + [SENT] * 4
    assert pool.worker().link.frames == [b"1", b"2", b"3", b"4", b"5", b"6"]


def test_jobs_that_take_long_are_not_sent_ahead() -> None:
    pool = FakePool()
    jobs = [pool.submit() for _ in range(6)]
    pool.ready_all()
    pool.done(pool.worker(), seconds=0.0021)
    assert states(jobs[1:]) == [RUNNING] + [WAITING] * 4


def test_long_jobs_end_the_sending_and_short_ones_begin_it_again() -> None:
    pool = quick_pool()
    for _ in range(60):
        pool.submit()
    pool.done(pool.worker(), seconds=1.0)
    assert line_length(pool) == 0
    for _ in range(40):
        pool.done(pool.worker(), seconds=0.0)
    assert line_length(pool) > 0


@pytest.mark.parametrize(
    "options",
    [{"queue_timeout_s": 5.0}, {"priority": -1}, {"size": LARGEST_FRAME + 1}],
    ids=["has to start in time", "anything overtakes it", "large"],
)
def test_some_jobs_never_stand_in_line_and_nothing_passes_them(options: dict[str, float]) -> None:
    pool = quick_pool()
    pool.submit()
    jobs = [pool.submit(priority=min(0, options.get("priority", 0))) for _ in range(3)]
    special = pool.submit(**options)
    behind = [pool.submit(priority=min(0, options.get("priority", 0))) for _ in range(3)]
    while special.state is WAITING:
        assert states(behind) == [WAITING] * 3
        pool.done(pool.worker(), seconds=0.0)
        assert special.state is not SENT
    assert states(jobs) == [JobState.ENDED] * 3
    work_off(pool)
    assert_even(pool)


def test_a_frame_just_small_enough_stands_in_line() -> None:
    pool = quick_pool()
    with_prefetched(pool, 3, size=LARGEST_FRAME)


@pytest.mark.parametrize(
    "recycle",
    [
        Recycle(max_jobs=1000),
        Recycle(max_rss=1000 * MIB),
        Recycle(hard_rss=1000 * MIB),
        Recycle(max_age_s=1000),
        Recycle(max_idle_s=1000),
        Recycle(trim_every=1000),
        Recycle(auto=True),
        Recycle(models={"another": Recycle(max_jobs=1)}),
    ],
    ids=["jobs", "rss", "hard_rss", "age", "idle", "trim", "auto", "of another model"],
)
def test_a_pool_that_replaces_workers_prefetches_nothing(recycle: Recycle) -> None:
    pool = quick_pool(recycle=recycle)
    jobs = [pool.submit() for _ in range(10)]
    for place, job in enumerate(jobs):
        assert states(jobs[place:]) == [RUNNING] + [WAITING] * (9 - place)
        assert pool.worker().job is job
        pool.done(pool.worker(), seconds=0.0)
    assert_even(pool)


def test_nothing_is_sent_ahead_while_jobs_of_two_models_wait() -> None:
    pool = quick_pool("a", "b")
    mine = [pool.submit("a") for _ in range(6)]
    other = pool.submit("b")
    pool.done(pool.worker(), seconds=0.0)
    assert states(mine[1:]) == [RUNNING] + [WAITING] * 4
    assert other.state is WAITING


def test_a_full_pipe_gets_no_more() -> None:
    pool = quick_pool()
    jobs = [pool.submit() for _ in range(6)]
    pool.worker().link.full = True
    pool.done(pool.worker(), seconds=0.0)
    assert states(jobs[1:]) == [RUNNING] + [WAITING] * 4
    pool.worker().link.full = False
    pool.done(pool.worker(), seconds=0.0)
    assert states(jobs[2:]) == [RUNNING] + [SENT] * 3


# ------------------------------------------------------------------ how many


def test_a_line_has_its_length_and_comes_with_the_job_before_it() -> None:
    pool = quick_pool()
    for _ in range(100):
        pool.submit()
    writes = pool.worker().link.writes
    pool.done(pool.worker(), seconds=0.0)
    assert line_length(pool) == MOST_PREFETCHED
    assert pool.worker().link.writes == writes + 1


def test_a_line_is_filled_up_when_few_are_left_and_with_one_write() -> None:
    pool = quick_pool()
    for _ in range(100):
        pool.submit()
    pool.done(pool.worker(), seconds=0.0)
    writes = pool.worker().link.writes
    for left in range(MOST_PREFETCHED - 1, FEW_PREFETCHED, -1):
        pool.done(pool.worker(), seconds=0.0)
        assert line_length(pool) == left
    assert pool.worker().link.writes == writes
    pool.done(pool.worker(), seconds=0.0)
    assert line_length(pool) == MOST_PREFETCHED
    assert pool.worker().link.writes == writes + 1
    work_off(pool)
    assert_even(pool)


def test_no_worker_takes_more_than_its_share_of_what_waits() -> None:
    pool = quick_pool(workers=3)
    jobs = [pool.submit() for _ in range(3 + 1 + 9)]
    pool.done(pool.worker(0), seconds=0.0)
    assert line_length(pool, 0) == 3
    pool.done(pool.worker(1), seconds=0.0)
    assert line_length(pool, 1) == 1
    assert states(jobs[-4:]) == [WAITING] * 4
    work_off(pool)
    assert_even(pool)


def test_the_last_that_waits_is_left_for_whoever_is_free_first() -> None:
    pool = quick_pool(workers=2)
    jobs = [pool.submit() for _ in range(2 + 2)]
    pool.done(pool.worker(0), seconds=0.0)
    assert states(jobs[2:]) == [RUNNING, WAITING]
    pool.done(pool.worker(1), seconds=0.0)
    assert jobs[3].worker is pool.worker(1)


# ------------------------------------------------------------------ in which order


def test_results_come_in_the_order_of_the_jobs_and_each_has_its_own() -> None:
    pool = quick_pool()
    jobs = [pool.submit() for _ in range(60)]
    while pool.worker().job is not None:
        number = pool.worker().link.jobs[0]
        pool.done(pool.worker(), value=f"value {number}", seconds=0.0)
    assert [pool.ending(job) for job in jobs] == [f"value {job.id}" for job in jobs]
    ended = [event.job for event in pool.events if isinstance(event, JobEnded)]
    assert ended == sorted(ended)
    assert_even(pool)


def test_answers_that_come_together_find_their_jobs() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 5)
    for number in range(4):
        pool.end_job(pool.worker(), value=number, seconds=0.0)
    pool.hear(pool.worker())
    assert [pool.ending(job) for job in jobs[:4]] == [0, 1, 2, 3]
    assert states(jobs[4:]) == [RUNNING, SENT]


def test_what_the_engine_raises_ends_its_own_job_and_the_line_goes_on() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 2)
    pool.failed(pool.worker())
    assert "message" in str(pool.ending(jobs[0]))
    assert states(jobs[1:]) == [RUNNING, SENT]
    work_off(pool)
    assert [pool.ending(job) for job in jobs[1:]] == ["value", "value"]


@pytest.mark.parametrize("prefetched", [1, 4])
def test_something_urgent_goes_before_what_stands_in_line(prefetched: int) -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, prefetched)
    urgent = pool.submit(priority=1)
    assert states(jobs) == [RUNNING] + [WAITING] * prefetched
    pool.done(pool.worker(), seconds=0.0)
    assert urgent.state is RUNNING
    assert pool.worker().link.jobs == [urgent.id, *(job.id for job in jobs[1:])]
    work_off(pool)
    ended = [event.job for event in pool.events if isinstance(event, JobEnded)]
    assert ended[2:] == [jobs[0].id, urgent.id, *(job.id for job in jobs[1:])]
    assert_even(pool)


def test_what_is_as_urgent_as_the_line_goes_behind_it() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3, priority=1)
    late = pool.submit(priority=1)
    pool.submit(priority=0)
    assert states(jobs) == [RUNNING] + [SENT] * 3
    work_off(pool)
    ended = [event.job for event in pool.events if isinstance(event, JobEnded)]
    assert ended[-3:] == [jobs[3].id, late.id, late.id + 1]


def test_something_urgent_of_another_model_makes_a_line_give_way_too() -> None:
    pool = quick_pool("a", "b")
    pool.submit("a")
    jobs = [pool.submit("a") for _ in range(5)]
    pool.done(pool.worker(), seconds=0.0)
    assert states(jobs) == [RUNNING] + [SENT] * 4
    urgent = pool.submit("b", priority=1)
    assert states(jobs) == [RUNNING] + [WAITING] * 4
    work_off(pool)
    pool.reap_leaving()
    pool.ready_all()
    work_off(pool)
    assert pool.ending(urgent) == "value"


def test_a_worker_says_what_it_is_at_while_it_has_a_line() -> None:
    pool = quick_pool()
    jobs = with_prefetched(pool, 3)
    for job in jobs:
        assert pool.worker().state is WorkerState.BUSY
        assert pool.worker().job is job
        assert job.worker is pool.worker()
        pool.done(pool.worker(), seconds=0.0)
    assert pool.worker().state is WorkerState.IDLE
    assert pool.worker().jobs == len(pool.jobs)


def test_jobs_in_line_wait_in_the_stats_of_the_pool_and_of_their_model() -> None:
    pool = quick_pool()
    with_prefetched(pool, 5)
    stats = take_stats(pool.registry, pool.now)
    assert len(pool.worker().prefetched) > 0
    assert stats.queue_length == sum(model.waiting for model in stats.models)
    assert stats.queue_length == len(pool.worker().prefetched) + sum(
        len(model_queue.waiting) for model_queue in pool.registry.model_queues.values()
    )


def test_an_engine_that_looks_for_cancels_by_itself_gets_no_lines_for_a_while() -> None:
    pool = quick_pool()
    with_prefetched(pool, 3)
    pool.worker().link.look()  # type: ignore[attr-defined]
    pool.hear(pool.worker())
    assert line_length(pool) == 0
    for _ in range(100):
        pool.submit()
    lengths: list[int] = []
    for _ in range(60):
        pool.done(pool.worker(), seconds=0.0)
        lengths.append(line_length(pool))
    assert lengths[:20] == [0] * 20
    assert lengths[-1] > 0
    work_off(pool)
    assert_even(pool)

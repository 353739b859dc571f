"""Small connections between the core's parts that nothing else would notice if they were cut."""

from __future__ import annotations

import math
import signal

import pytest
from fake_link import job_frame
from fake_pool import MIB, FakePool, FakePromise
from quick_jobs import quick_pool, with_prefetched

from orchestrator.errors import ModelOutOfUseError
from orchestrator.pool.core.auto_recycling import worker_limit
from orchestrator.pool.core.entities import SERIES_LENGTH, ModelQueue
from orchestrator.pool.core.recycling.growth_model import Growth, Learner
from orchestrator.pool.core.scheduling import MOST_OVERTAKEN, Demand, Give, Memory, SlotView, next_step
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.core.timers import Timers
from orchestrator.pool.events import JobEnded
from orchestrator.pool.models import FUNCTION_MODEL, Model
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator.pool.submission.payload import Payload, job_record
from orchestrator.process.uninterrupted import OwnDescriptor


def test_an_old_job_of_another_model_waits_for_so_many_and_no_more() -> None:
    """The count of jobs that overtook it reaches the scheduling: without it the old job would starve."""
    pool = FakePool("a", "b")
    pool.submit("a")
    pool.ready_all()
    old = pool.submit("b")
    later = [pool.submit("a") for _ in range(2 * MOST_OVERTAKEN)]
    for _ in range(2 * MOST_OVERTAKEN + 1):
        if old.state is not JobState.WAITING or pool.registry.slots[0].worker is None:
            break
        worker = pool.worker()
        if worker.state is not WorkerState.BUSY:
            break
        pool.wait(0.05)
        pool.done(worker, seconds=0.05)
    pool.reap_leaving()
    pool.ready_all()
    assert old.state is JobState.RUNNING
    assert sum(job.state is JobState.ENDED for job in later) == MOST_OVERTAKEN


def test_what_a_model_needs_is_its_highest_peak_and_not_its_last() -> None:
    pool = FakePool("a", workers=2, budget_bytes=1000 * MIB, need_mib=700, recycle=Recycle(max_jobs=1))
    pool.submit("a")
    pool.ready_all()
    pool.wait(0.1)
    pool.done(pool.worker())
    pool.need_mib = 60  # the next worker takes less
    pool.reap_leaving()
    for _ in range(2):
        pool.submit("a")
    pool.ready_all()
    pool.wait(0.1)
    pool.done(pool.worker())
    pool.reap_leaving()
    for _ in range(4):
        pool.submit("a")
    pool.ready_all()
    assert len(list(pool.registry.workers())) == 1, "two of them might take 1400 MiB, and the budget is 1000"


def test_the_warm_up_is_left_out_of_a_rate_of_growth() -> None:
    learner = Learner()
    trace = learner.begin()
    size = 100.0
    for job in range(1, 41):
        size += 10.0 if job <= 10 else 1.0
        learner.job_ended(trace, int(size * MIB))
    assert min(point[0] for point in trace.warm) > 10
    assert trace.slopes == pytest.approx([MIB] * len(trace.slopes))


def test_answers_that_come_together_each_have_the_time_that_the_engine_took() -> None:
    pool = quick_pool()
    with_prefetched(pool, 2)
    pool.now += 0.5
    pool.events.clear()
    for _ in range(3):
        pool.end_job(pool.worker(), seconds=0.1)
    pool.hear(pool.worker())
    times = [event.run_s for event in pool.events if isinstance(event, JobEnded)]
    assert times == pytest.approx([0.5, 0.1, 0.1])


def test_a_slot_that_was_given_to_another_model_keeps_nothing_warm_any_more() -> None:
    pool = FakePool("a", "b", recycle=Recycle(max_idle_s=5.0))
    pool.submit("a")
    pool.ready_all()
    pool.submit("b")
    pool.die(pool.worker())
    pool.ready_all()
    assert pool.worker().model_queue.name == "b"
    pool.done(pool.worker())
    pool.wait(60.0)
    pool.reap_leaving()
    assert pool.links == [], "nobody asked for a worker of the model that had died"


def test_a_start_that_fails_is_not_tried_again_for_nobody() -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.spawn_fails = 1
    pool.die(pool.worker())
    assert pool.links == [], "what is kept warm is not worth a second try"
    pool.submit()
    assert len(pool.links) == 1


@pytest.mark.parametrize("first_done", [0, 1])
def test_the_worker_used_last_is_used_next(first_done: int) -> None:
    """So that the others may stand idle long enough to be let go."""
    pool = FakePool(workers=2, recycle=Recycle(max_idle_s=10.0))
    for _ in range(2):
        pool.submit()
    pool.ready_all()
    for slot in (first_done, 1 - first_done):
        pool.wait(1.0)
        pool.done(pool.worker(slot))
    for _ in range(20):
        pool.wait(1.0)
        pool.submit()
        worker = pool.worker(1 - first_done)
        assert worker.state is WorkerState.BUSY
        pool.done(worker)
    pool.reap_leaving()
    assert pool.registry.slots[first_done].worker is None


def test_the_scheduling_takes_the_worker_used_last_too() -> None:
    slots = [SlotView(0, "a", "idle", 2.0), SlotView(1, "a", "idle", 3.0), SlotView(2, "a", "idle", 1.0)]
    assert next_step([Demand("a", 0, 1, 1, MIB)], slots, Memory(0)) == Give(1)


def test_a_job_that_began_in_time_and_lost_its_worker_is_not_too_late() -> None:
    pool = FakePool(retry=Retry.up_to(2))
    job = pool.submit(queue_timeout_s=1.0)
    pool.ready_all()
    pool.die(pool.worker())
    pool.wait(30.0)  # the next worker takes its time
    assert job.promise.outcomes == []  # type: ignore[attr-defined]
    pool.ready_all()
    assert job.state is JobState.RUNNING


def test_a_job_that_began_in_time_is_not_remembered_until_its_deadline() -> None:
    pool = FakePool()
    pool.submit(queue_timeout_s=3600.0)
    pool.ready_all()
    assert len(pool.registry.timers) == 0


def test_a_model_taken_out_of_use_ends_its_other_starts_too() -> None:
    pool = FakePool("m", workers=2)
    jobs = [pool.submit("m"), pool.submit("m")]
    other = pool.links[1]
    for _ in range(3):
        pool.die(pool.worker(0), 1)
    assert other.signals == [signal.SIGTERM]
    assert all(isinstance(pool.ending(job), ModelOutOfUseError) for job in jobs)
    pool.reap_leaving()
    assert pool.links == []
    assert pool.exits() == {"start-failed": 4}


def test_a_cancelled_job_says_which_worker_had_it() -> None:
    pool = FakePool()
    running, waiting = pool.submit(), pool.submit()
    pool.ready_all()
    for job in (running, waiting):
        pool.cancel(job)
    assert (pool.ending(running).pid, pool.ending(waiting).pid) == (100, None)
    assert "the job was cancelled" in str(pool.ending(waiting))


def test_a_worker_that_died_is_not_looked_at_again() -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    pool.supervisor.close(pool.now)
    pool.settle()
    assert len(pool.registry.timers) == 1, "it was told to go, and must be gone in time"
    pool.reap_leaving()
    assert len(pool.registry.timers) == 0


def test_a_reserve_that_makes_room_leaves_its_worker_alone() -> None:
    pool = FakePool("a", "b", workers=2, budget_bytes=150 * MIB, recycle=Recycle(max_jobs=2, jitter=0))
    pool.submit("a")
    pool.ready_all()
    pool.done(pool.worker())
    pool.submit("a")
    pool.ready_all()  # the successor too
    worker, reserve = pool.worker(), pool.registry.slots[0].successor
    assert reserve is not None
    assert (worker.state, reserve.state) == (WorkerState.BUSY, WorkerState.IDLE)
    pool.submit("b")
    assert (worker.state, reserve.state) == (WorkerState.BUSY, WorkerState.LEAVING)
    assert pool.registry.metrics.evictions == 1
    pool.reap_leaving()
    assert pool.worker(1).model_queue.name == "b"


def test_what_is_to_be_kept_warm_is_started_once_in_whichever_slot() -> None:
    pool = FakePool("m", workers=2, recycle=Recycle(max_idle_s=5.0, jitter=0))
    for _ in range(2):
        pool.submit("m")
    pool.ready_all()
    pool.done(pool.worker(0))
    pool.wait(10.0)
    pool.reap_leaving()
    pool.die(pool.worker(1))
    assert [slot.worker is not None for slot in pool.registry.slots] == [True, False]


def test_a_further_model_is_learnt_of_where_all_are() -> None:
    pool = FakePool("m", recycle=Recycle(auto=True))
    further = ModelQueue(Model(name="m/2", engine="fake"), recycled_as="m")
    job = job_record(Payload(1, "m/2", "call", job_frame(1), None), further, FakePromise())
    pool.places += 1
    pool.supervisor.submit(job, pool.now)
    pool.settle()
    assert pool.registry.model_queues["m/2"] is further
    assert further.learner is not None
    pool.ready_all()
    assert job.state is JobState.RUNNING


def test_a_job_that_is_withdrawn_while_it_is_submitted_gives_back_what_it_held() -> None:
    pool = FakePool()
    payload = Payload(1, FUNCTION_MODEL, "call", job_frame(1), None)
    job = job_record(payload, pool.registry.model_queues[FUNCTION_MODEL], FakePromise())
    job.descriptor = OwnDescriptor()
    pool.places += 1
    pool.supervisor.withdraw(job, pool.now)
    assert (job.state, job.descriptor, pool.places) == (JobState.ENDED, None, 0)
    assert "interrupted while submitting" in str(pool.ending(job))


def test_a_queue_that_is_rebuilt_is_in_order_again() -> None:
    pool = FakePool()
    jobs = [pool.submit(priority=priority) for priority in (0, 1, 0, 1)]
    queue = pool.registry.model_queues[FUNCTION_MODEL].waiting
    queue.rebuild([jobs[2], jobs[3], jobs[0], jobs[1], jobs[2]])
    assert queue.members() == [jobs[1], jobs[3], jobs[0], jobs[2]]
    assert len(queue) == 4


def test_what_is_learnt_of_a_short_life() -> None:
    learner = Learner()
    trace = learner.begin()
    for mib in (100, 110, 105, 120):
        learner.job_ended(trace, mib * MIB)
    known = Growth(rise=10 * MIB, warm_up_rise=10 * MIB, swing=15 * MIB, readings=3, lives=1, base=100 * MIB)
    assert learner.growth == known


def test_a_peak_within_a_job_is_no_rise_between_jobs() -> None:
    learner = Learner()
    trace = learner.begin()
    learner.job_ended(trace, 100 * MIB)
    trace.saw(130 * MIB)
    learner.job_ended(trace, 104 * MIB)
    assert (learner.growth.above, learner.growth.rise) == (30 * MIB, 4 * MIB)


def test_the_quartiles_of_the_last_and_first_readings_are_compared() -> None:
    trace = Learner().begin()
    for job in range(1, 33):
        trace.job_ended(job)
    assert trace.grown(certain=True) == 16  # 24.5 - 8.5
    assert trace.grown(certain=False) == 21 - 12


def test_what_other_models_that_stand_by_hold_is_no_room_to_grow() -> None:
    pool = FakePool("a", "b", standby=1, budget_bytes=500 * MIB, recycle=Recycle(auto=True), need_mib=100)
    for name in ("a", "b"):
        job = pool.submit(name)
        pool.ready_all()
        assert job.worker is not None
        pool.done(job.worker)
        pool.need_mib = 150  # the next takes more
    mine, other = pool.worker(0), pool.worker(1)
    held = pool.registry.budget.held_by(other)
    assert held > pool.registry.budget.held_by(mine)
    assert worker_limit(pool.registry, mine) == 500 * MIB - held


def test_a_start_that_the_host_refuses_holds_no_memory() -> None:
    pool = FakePool()
    pool.host_is_short = 1
    pool.submit()
    assert (pool.links, pool.registry.budget.reserved_bytes) == ([], 0)


def test_stop_hurries_those_that_were_told_to_go_before() -> None:
    pool = FakePool(recycle=Recycle(max_idle_s=5.0, jitter=0), polite_grace_s=100.0)
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    pool.wait(6.0)
    (link,) = pool.links
    assert (link.told_to_go, link.signals) == (True, [])
    pool.supervisor.stop(pool.now)
    assert link.signals == [signal.SIGTERM]


def test_timers_that_are_rebuilt_know_the_earliest() -> None:
    timers: Timers[str] = Timers()
    for due in (9.0, 5.0, 7.0):
        timers.set(f"at {due:g}", due)
    timers.rebuild()
    assert timers.earliest == 5.0
    assert list(timers.pop_due(8.0)) == ["at 5", "at 7"]
    assert timers.next_due() == 9.0


def test_a_worker_that_is_loaded_has_no_deadline_any_more() -> None:
    pool = FakePool("m", prestart="m")
    pool.ready_all()
    pool.wait(1.0)
    assert pool.worker().state is WorkerState.IDLE
    assert pool.supervisor.next_due() is None


def test_of_a_series_the_last_readings_are_kept() -> None:
    pool = FakePool(sample_interval_s=1.0)
    pool.submit()
    pool.ready_all()
    pool.wait(SERIES_LENGTH + 100.0)
    series = pool.registry.slots[0].series
    assert (len(series), series[-1].at_s) == (SERIES_LENGTH, pool.now)


def test_the_lower_end_of_a_rate_is_that_of_its_rank() -> None:
    learner = Learner()
    trace = learner.begin()
    for job in range(1, 21):
        learner.job_ended(trace, (100 * job + job**2) * MIB)
    slopes = sorted((100 + one + other) * MIB for one in range(6, 21) for other in range(6, one))
    spread = (15 * 14 * 35 / 18) ** 0.5  # of Kendall's sign count of 15 readings
    assert learner.growth.rate == slopes[52]
    assert learner.growth.rate_low == slopes[int((105 - 1.96 * spread) / 2)]
    assert learner.growth.rate_high == slopes[math.ceil((105 + 1.96 * spread) / 2)]

"""Readings that a sampling process took between two looks of the pool: where they count, and where they do not."""

from __future__ import annotations

import signal
from math import inf

from fake_link import MIB
from fake_pool import FakePool

from orchestrator.pool.core.states import WorkerState
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stats import take_stats

LOOK_S = 0.021


def test_what_was_read_between_two_looks_is_in_series_and_peak() -> None:
    pool = FakePool()
    job = pool.submit()
    pool.ready_all()
    link = pool.links[0]
    started = pool.now
    link.read_apart = [(started + 0.005, 70 * MIB), (started + 0.01, 90 * MIB), (started + 0.015, 60 * MIB)]
    pool.wait(LOOK_S)
    rows = [(sample.rss_bytes // MIB, sample.job) for sample in pool.registry.slots[0].series]
    assert rows[-4:] == [(70, job.id), (90, job.id), (60, job.id), (50, job.id)]
    times = [sample.at_s for sample in pool.registry.slots[0].series]
    assert times == sorted(times)
    assert pool.worker().peak_bytes == 90 * MIB
    assert pool.worker().rss_bytes == 50 * MIB


def test_what_is_decided_by_is_the_latest_reading_and_not_one_that_is_over() -> None:
    """The job that took more may have ended; the one that runs now must not be killed for it."""
    pool = FakePool(recycle=Recycle(hard_rss="100MiB"))
    pool.submit()
    pool.ready_all()
    link = pool.links[0]
    link.read_apart = [(pool.now + 0.01, 150 * MIB)]
    pool.wait(LOOK_S)
    assert link.signals == []
    assert pool.worker().peak_bytes == 150 * MIB
    link.rss = 150 * MIB
    pool.wait(LOOK_S)
    assert link.signals == [signal.SIGKILL]


def test_a_reading_of_before_the_job_is_not_the_jobs() -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.wait(LOOK_S)
    before = pool.now
    pool.done(pool.worker())
    pool.now += 0.01
    second = pool.submit()
    pool.links[0].read_apart = [(before, 80 * MIB), (pool.now + 0.001, 55 * MIB)]
    pool.wait(LOOK_S)
    rows = [(sample.rss_bytes // MIB, sample.job) for sample in pool.registry.slots[0].series]
    assert rows[-3:] == [(80, None), (55, second.id), (50, second.id)]
    assert pool.worker().peak_bytes == 80 * MIB, "it was seen with that, whenever"


def test_of_an_idle_worker_what_was_read_while_it_worked_counts_and_the_rest_is_dropped() -> None:
    """A host that was held up hears of a job's end, and reads what was read within the job, at the same moment."""
    pool = FakePool(workers=2)
    pool.submit()
    pool.submit()
    pool.ready_all()
    pool.wait(LOOK_S)
    within = pool.now
    pool.now += 0.01
    pool.done(pool.worker(0))
    assert pool.worker(0).state is WorkerState.IDLE
    pool.links[0].read_apart = [(within, 88 * MIB), (pool.now + 0.001, 99 * MIB)]
    pool.wait(LOOK_S)
    series = pool.registry.slots[0].series
    assert (series[-1].rss_bytes, series[-1].state, series[-1].job) == (88 * MIB, "busy", None)
    assert pool.worker(0).peak_bytes == 88 * MIB


def test_what_was_read_of_a_worker_before_it_died_is_kept() -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.links[0].read_apart = [(pool.now + 0.003, 400 * MIB)]
    pool.die(pool.worker(), -signal.SIGKILL)
    slot = pool.registry.slots[0]
    assert slot.peak_bytes == 400 * MIB
    assert slot.series[-1].rss_bytes == 400 * MIB
    assert pool.collected > 0


def test_a_peak_within_the_first_job_is_part_of_what_a_model_needs() -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.links[0].read_apart = [(pool.now + 0.003, 300 * MIB)]
    pool.done(pool.worker())
    (queue,) = pool.registry.model_queues.values()
    assert queue.measured_bytes == 300 * MIB


def test_readings_are_gathered_at_each_look_and_rest_when_nobody_works() -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.wait(LOOK_S)
    assert pool.now - LOOK_S <= pool.gathered <= pool.now
    pool.done(pool.worker())
    pool.wait(LOOK_S)
    assert pool.resting
    assert pool.registry.next_sample_at is None
    pool.submit()
    assert not pool.resting, "at once, and not at the next look, which a busy host may not come to"


def test_an_alarm_makes_the_next_look_due_at_once() -> None:
    pool = FakePool(sample_interval_s=10.0, recycle=Recycle(hard_rss="100MiB"))
    pool.submit()
    pool.ready_all()
    pool.links[0].rss = 150 * MIB
    assert (pool.supervisor.next_due() or inf) > pool.now
    pool.supervisor.memory_alarm(pool.now)
    assert pool.supervisor.next_due() == pool.now
    pool.wait(0.0)
    assert pool.links[0].signals == [signal.SIGKILL]


def test_an_alarm_that_comes_when_nobody_works_means_nothing() -> None:
    pool = FakePool(sample_interval_s=0.02)
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    pool.wait(LOOK_S)
    pool.supervisor.memory_alarm(pool.now)
    assert pool.registry.next_sample_at is None


def test_stats_say_who_reads_and_what_was_missed() -> None:
    pool = FakePool()
    assert (
        take_stats(pool.registry, pool.now).sampled_by,
        take_stats(pool.registry, pool.now).missed_readings,
    ) == (
        "loop",
        0,
    )
    pool.sampled_by, pool.missed_readings = "process", 3
    found = take_stats(pool.registry, pool.now)
    assert (found.sampled_by, found.missed_readings) == ("process", 3)

"""A hard budget on fake workers: who goes, whose job is given again, and what is refused."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from fake_pool import MIB, FakePool

from orchestrator.errors import ModelOutOfUseError, WorkerDiedError
from orchestrator.pool.core.entities import JobRecord
from orchestrator.pool.core.outcomes import MOST_SPARED
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.models import FUNCTION_MODEL
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stats import take_stats

READING_S = 0.021


def state_of(job: JobRecord) -> JobState:
    return job.state


def pool_of(*names: str, budget_mib: int, **options: Any) -> FakePool:
    return FakePool(*names, budget_bytes=budget_mib * MIB, hard_budget=True, **options)


def test_a_worker_that_has_grown_is_killed_and_its_job_given_again_without_counting() -> None:
    pool = pool_of(budget_mib=500)
    first, second = pool.submit(), pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    grown = pool.links[0]
    grown.rss = 501 * MIB
    pool.wait(READING_S)
    assert grown.signals == [signal.SIGKILL]
    pool.die(grown.worker, -9)
    pool.wait(READING_S)
    pool.ready_all()
    assert second.state is JobState.RUNNING
    assert second.attempts == ()
    pool.done(pool.worker())
    assert (pool.ending(first), pool.ending(second)) == ("value", "value")
    assert pool.exits() == {"hard-rss": 1}


def test_a_job_that_takes_the_whole_budget_for_itself_fails_and_says_so() -> None:
    pool = pool_of(budget_mib=500, recycle=Recycle(max_jobs=1))
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    pool.reap_leaving()
    job = pool.submit()
    pool.ready_all()
    link = pool.links[0]
    link.rss = 600 * MIB
    pool.wait(3 * READING_S)  # its successor goes first
    assert link.signals == [signal.SIGKILL]
    pool.die(link.worker, -9)
    error = pool.ending(job)
    assert isinstance(error, WorkerDiedError)
    assert "600 MiB resident in its job 1, the memory budget is 500 MiB" in str(error)


def test_a_model_that_is_loaded_and_stands_idle_above_the_budget_goes_too() -> None:
    pool = pool_of(budget_mib=100, prestart=FUNCTION_MODEL)
    pool.need_mib = 130
    (link,) = pool.links
    link.rss = 130 * MIB
    pool.ready_all()
    pool.wait(READING_S)
    assert link.signals == [signal.SIGKILL]
    pool.die(link.worker, -9)
    assert pool.links == []
    assert "130 MiB when loaded" in str(pool.ending(pool.submit()))


@pytest.mark.parametrize("state", ["loading", "first job"])
def test_a_budget_smaller_than_one_model_is_refused_with_both_sizes(state: str) -> None:
    pool = pool_of(budget_mib=100)
    job, other = pool.submit(), pool.submit()
    if state == "first job":
        pool.ready_all()
    link = pool.links[0]
    link.rss = 130 * MIB
    pool.wait(READING_S)
    assert link.signals == [signal.SIGKILL]
    pool.die(link.worker, -9)
    for each in (job, other):
        error = pool.ending(each)
        assert isinstance(error, ModelOutOfUseError)
        assert "100 MiB" in str(error)
        assert "130 MiB" in str(error)
    assert pool.links == [], "it is not loaded again and again"


def test_idle_workers_go_before_any_that_works() -> None:
    pool = pool_of("a", "b", budget_mib=300, workers=2)
    pool.submit("a")
    pool.ready_all()
    pool.done(pool.worker())
    pool.submit("b")
    pool.ready_all()
    idle, busy = pool.worker(0), pool.worker(1)
    assert (idle.state, busy.state) == (WorkerState.IDLE, WorkerState.BUSY)
    idle_link, busy_link = pool.links
    busy_link.rss = 260 * MIB
    pool.wait(READING_S)
    assert (idle_link.signals, busy_link.signals) == ([signal.SIGKILL], [])
    pool.die(idle, -9)
    pool.wait(READING_S)
    assert busy.state is WorkerState.BUSY


def test_of_two_that_have_just_begun_the_later_waits_until_there_is_room() -> None:
    pool = pool_of("a", "b", budget_mib=500, workers=2)
    first = pool.submit("a")
    pool.ready_all()
    pool.wait(0.01)
    second = pool.submit("b")
    pool.ready_all()
    one, two = pool.links
    one.rss = two.rss = 300 * MIB
    pool.wait(READING_S)
    assert (one.signals, two.signals) == ([], [signal.SIGKILL])
    pool.die(two.worker, -9)
    pool.wait(0.1)
    assert state_of(second) is JobState.WAITING, "what it takes is known now"
    pool.done(one.worker)
    pool.reap_leaving()
    pool.ready_all()
    assert state_of(second) is JobState.RUNNING
    assert pool.ending(first) == "value"


def test_the_first_worker_of_an_unknown_model_is_alone_until_it_has_done_a_job() -> None:
    pool = pool_of("a", budget_mib=700, workers=2, need_mib=300)
    for _ in range(4):
        pool.submit("a")
    pool.ready_all()
    assert len(pool.links) == 1
    pool.wait(READING_S)
    pool.done(pool.worker())
    pool.ready_all()
    assert len(pool.links) == 2, "700 MiB hold two of 300"


def test_where_memory_is_plenty_all_workers_start_at_once() -> None:
    pool = pool_of("a", budget_mib=8000, workers=2)
    for _ in range(2):
        pool.submit("a")
    assert len(pool.links) == 2


def test_without_it_nothing_is_killed() -> None:
    pool = FakePool(budget_bytes=100 * MIB)
    job = pool.submit()
    pool.ready_all()
    pool.links[0].rss = 200 * MIB
    pool.wait(1)
    assert pool.links[0].signals == []
    pool.done(pool.worker())
    assert pool.ending(job) == "value"


def test_its_limit_is_seen_from_the_start() -> None:
    pool = pool_of(budget_mib=500)
    pool.submit()
    pool.ready_all()
    (slot,) = take_stats(pool.registry, pool.now).slots
    assert slot.worker is not None
    assert slot.worker.limit_bytes == 500 * MIB


def test_one_that_loads_goes_before_one_that_has_grown() -> None:
    pool = pool_of("a", "b", budget_mib=500, workers=2)
    for _ in range(2):
        pool.submit("a")
        pool.ready_all()
        if pool.worker().jobs == 1:
            pool.done(pool.worker())
    pool.submit("b")
    grown, loading = pool.links
    assert (grown.worker.jobs, loading.worker.state) == (2, WorkerState.STARTING)
    grown.rss, loading.rss = 400 * MIB, 150 * MIB
    pool.wait(READING_S)
    assert (grown.signals, loading.signals) == ([], [signal.SIGKILL])


def test_a_job_is_spared_so_often_and_no_more() -> None:
    pool = pool_of(budget_mib=500)
    job = pool.submit()
    for _ in range(MOST_SPARED):
        pool.ready_all()
        pool.worker().spares_job = True
        pool.die(pool.worker(), -9)
        assert job.attempts == ()
        pool.wait(READING_S)
    pool.ready_all()
    pool.worker().spares_job = True
    pool.die(pool.worker(), -9)
    assert isinstance(pool.ending(job), WorkerDiedError)


@pytest.mark.parametrize("larger", [0, 1])
def test_of_two_that_have_grown_the_larger_goes(larger: int) -> None:
    pool = pool_of("a", "b", budget_mib=900, workers=2)
    for slot, name in enumerate("ab"):
        pool.submit(name)
        pool.ready_all()
        pool.done(pool.worker(slot))
        pool.submit(name)
        pool.wait(0.001)
    links = [pool.worker(slot).link for slot in (0, 1)]
    assert [pool.worker(slot).jobs for slot in (0, 1)] == [2, 2]
    links[larger].rss, links[1 - larger].rss = 600 * MIB, 400 * MIB  # type: ignore[attr-defined]
    pool.wait(READING_S)
    assert links[larger].signals == [signal.SIGKILL]  # type: ignore[attr-defined]
    assert links[1 - larger].signals == []  # type: ignore[attr-defined]

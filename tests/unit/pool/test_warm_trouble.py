"""Warm workers that stand still in their first job, and templates under a hard budget: the decisions."""

import signal

import pytest
from fake_pool import MIB, FakePool
from fake_templates import BUDGET, cold_because, template_loads, warm_pool, working

from orchestrator.pool.core.states import JobState

# ------------------------------------------------------------------ a first job that stands still


LOOK_S = 2.6


def first_job_waits(pool: FakePool, counts: list[int | None]) -> None:
    for count in counts:
        pool.links[0].standstill = count
        pool.wait(LOOK_S)


def test_a_first_job_that_waits_for_a_lock_alone_is_given_to_a_cold_worker() -> None:
    pool = warm_pool()
    job = pool.submit("m")
    template_loads(pool)
    pool.ready_all()
    stuck = pool.links[0]
    first_job_waits(pool, [7] * 3)
    assert stuck.signals == []
    first_job_waits(pool, [7])
    assert stuck.signals == [signal.SIGKILL]
    assert "stuck (it has waited for a lock for 1" in (cold_because(pool) or "")
    pool.die(stuck.worker, -9)
    pool.wait(LOOK_S)
    pool.ready_all()
    assert (job.state, job.attempts) == (JobState.RUNNING, ())
    assert pool.worker().link.start == "exec"


@pytest.mark.parametrize("counts", [[7, 7, 7, 8, 8, 8, 8], [7, 7, None, 7, 7, 7, 7], [None] * 8])
def test_a_job_that_runs_now_and_then_or_waits_for_something_else_is_not_stuck(
    counts: list[int | None],
) -> None:
    pool = working(warm_pool())
    first_job_waits(pool, counts)
    assert pool.links[0].signals == []


def test_where_a_worker_of_the_template_has_done_a_job_locks_are_the_jobs_own_business() -> None:
    pool = working(warm_pool())
    pool.done(pool.worker())
    pool.submit("m")
    first_job_waits(pool, [7] * 8)
    assert pool.links[0].signals == []


# ------------------------------------------------------------------ a hard budget


READING_S = 0.021


def test_a_hard_budget_counts_a_template_once_and_keeps_to_itself() -> None:
    pool = warm_pool(hard_budget=True, budget_bytes=BUDGET, workers=2)
    working(pool, jobs=2)
    pool.templates[0].rss = BUDGET - 20 * MIB
    pool.wait(3 * READING_S)
    assert pool.links
    assert all(link.signals == [] for link in pool.links)
    assert cold_because(pool) is None


def test_a_template_that_takes_more_than_a_hard_budget_while_it_loads_is_given_up_and_said() -> None:
    pool = warm_pool(hard_budget=True, budget_bytes=BUDGET)
    job = pool.submit("m")
    link = pool.templates[0]
    link.rss = BUDGET + MIB
    pool.wait(READING_S)
    assert link.closed == 1
    assert pool.warnings == [
        "model m: its workers are started cold: its template does not fit into the hard memory budget of 200 MiB"
    ]
    assert pool.worker().link.start == "exec"
    pool.ready_all()
    pool.done(pool.worker())
    assert pool.ending(job) == "value"


def test_a_worker_that_its_template_leaves_no_room_beside_it_is_followed_by_a_cold_one_with_its_job() -> None:
    pool = warm_pool(hard_budget=True, budget_bytes=BUDGET)
    job = pool.submit("m")
    template_loads(pool)
    pool.ready_all()
    template, worker = pool.templates[0], pool.links[0]
    template.rss, worker.rss = 150 * MIB, 60 * MIB
    pool.wait(READING_S)
    assert worker.signals == [signal.SIGKILL]
    assert "no room for its template and a worker beside that" in (cold_because(pool) or "")
    pool.die(worker.worker, -9)
    assert template.closed == 1
    pool.wait(READING_S)
    pool.ready_all()
    assert (job.state, job.attempts) == (JobState.RUNNING, ())
    assert pool.worker().link.start == "exec"


def test_a_template_nobody_needs_goes_before_a_worker_where_a_hard_budget_is_broken() -> None:
    pool = warm_pool("m", "other", hard_budget=True, budget_bytes=BUDGET)
    pool.submit("other")
    template_loads(pool)
    pool.ready_all()
    pool.done(pool.worker())
    idle = pool.templates[0]
    pool.submit("m")
    template_loads(pool)
    pool.reap_leaving()  # the worker of the other
    pool.ready_all()
    assert idle.closed == 0
    pool.templates[1].rss = BUDGET - 6 * MIB
    pool.wait(READING_S)
    assert (idle.closed, pool.templates[1].closed) == (1, 0)
    assert all(link.signals == [] for link in pool.links)

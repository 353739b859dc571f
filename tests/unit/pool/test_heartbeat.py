"""A worker that cannot run is told from one that is slow: by the count of times that its threads ran."""

import pytest
from fake_pool import FakePool

from orchestrator.errors import WorkerDiedError
from orchestrator.pool.core.states import JobState


def at_work(**settings: float) -> tuple[FakePool, object]:
    pool = FakePool(**settings)
    job = pool.submit()
    pool.ready_all()
    return pool, job


def test_a_worker_whose_threads_do_not_run_is_frozen() -> None:
    pool, job = at_work(heartbeat_s=10.0)
    pool.worker().link.pulse = (7, "T")
    pool.wait(9.0)
    assert pool.exits() == {}
    pool.wait(6.0)
    pool.reap_leaving()
    assert pool.exits() == {"frozen": 1}
    error = pool.ending(job)
    assert isinstance(error, WorkerDiedError)
    assert "its state is T" in str(error)


@pytest.mark.parametrize("every_s", [0.5, 4.0, 9.0])
def test_one_that_runs_now_and_then_is_not(every_s: float) -> None:
    pool, job = at_work(heartbeat_s=10.0)
    for count in range(60):
        pool.worker().link.pulse = (count, "D")
        pool.wait(every_s)
    assert job.state is JobState.RUNNING
    pool.done(pool.worker())
    assert pool.ending(job) == "value"


def test_what_the_system_does_not_tell_is_no_reason() -> None:
    pool, job = at_work(heartbeat_s=10.0)
    pool.worker().link.pulse = None
    pool.wait(100.0)
    assert job.state is JobState.RUNNING


def test_it_is_off_by_default() -> None:
    pool, job = at_work()
    pool.wait(1000.0)
    assert job.state is JobState.RUNNING


def test_a_pool_that_was_stopped_itself_looks_again_before_it_kills() -> None:
    pool, job = at_work(heartbeat_s=10.0)
    pool.worker().link.pulse = (7, "S")
    pool.wait(1.0)
    pool.now += 1000.0
    pool.supervisor.tick(pool.now)
    pool.worker().link.pulse = (8, "S")
    pool.wait(9.0)
    assert job.state is JobState.RUNNING

"""The supervisor on fake workers and a fake clock: what happens to jobs and workers, case by case."""

import signal

import pytest
from fake_pool import FakePool

from orchestrator.errors import (
    EngineUnavailableError,
    JobCancelledError,
    JobError,
    JobPoisonedError,
    JobTimeoutError,
    ModelOutOfUseError,
    ProtocolError,
    WorkerDiedError,
)
from orchestrator.pool.core import supervisor
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.events import JobEnded, WorkerLeft
from orchestrator.pool.models import FUNCTION_MODEL
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator_worker.protocol import Cancel, Chunk, Load, Ready, Unloaded


def test_a_job_goes_through_a_fresh_worker() -> None:
    pool = FakePool()
    job = pool.submit()
    assert job.state is JobState.WAITING
    pool.receive(pool.worker(), Ready())
    assert isinstance(pool.links[0].sent[-1], Load)
    pool.ready(pool.worker())
    assert pool.links[0].frames == [b"1"]
    pool.done(pool.worker(), "result")
    assert pool.ending(job) == "result"
    assert pool.worker().state is WorkerState.IDLE
    assert pool.places == 0


def test_an_idle_pool_needs_no_clock() -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    pool.wait(1.0)
    assert pool.supervisor.next_due() is None


def test_chunks_reach_the_caller_until_it_gives_up() -> None:
    pool = FakePool()
    job = pool.submit()
    pool.ready_all()
    pool.receive(pool.worker(), Chunk(1, "a"))
    pool.cancel(job)
    pool.receive(pool.worker(), Chunk(1, "b"))
    assert job.promise.chunks == ["a"]


def test_an_engine_may_give_up_and_keeps_its_worker() -> None:
    pool = FakePool()
    job = pool.submit()
    pool.ready_all()
    pool.cancel(job)
    assert pool.worker().state is WorkerState.CANCELLING
    assert pool.links[0].sent[-1] == Cancel(1)
    second = pool.submit()
    pool.failed(pool.worker(), "cancelled")
    assert second.state is JobState.RUNNING
    assert isinstance(pool.ending(job), JobCancelledError)


def test_an_engine_that_goes_on_loses_its_worker_step_by_step() -> None:
    pool = FakePool()
    job = pool.submit()
    pool.ready_all()
    link = pool.links[0]
    pool.cancel(job)
    pool.wait(0.49)
    assert link.signals == []
    pool.wait(0.02)
    assert link.signals == [signal.SIGTERM]
    assert len(pool.links) == 2, "its slot has a new worker at once"
    pool.wait(1.0)
    assert link.signals == [signal.SIGTERM, signal.SIGKILL]
    pool.die(link.worker, -9)
    assert pool.exits() == {"cancel": 1}


def test_a_timeout_counts_from_the_start_of_work() -> None:
    pool = FakePool()
    job = pool.submit(timeout_s=1.0)
    pool.wait(5.0)
    pool.ready_all()
    pool.wait(0.99)
    assert job.state is JobState.RUNNING
    pool.wait(0.02)
    error = pool.ending(job)
    assert isinstance(error, JobTimeoutError)
    assert (error.where, error.limit_s, error.pid) == ("run", 1.0, 100)
    pool.wait(1.0)
    pool.die(next(iter(pool.registry.leaving)), -15)
    assert pool.exits() == {"timeout": 1}


def test_a_queue_timeout_counts_until_the_start_of_work() -> None:
    pool = FakePool()
    late, early = pool.submit(queue_timeout_s=1.0), pool.submit(queue_timeout_s=3.0)
    pool.wait(1.0)
    assert pool.ending(late).where == "queue"
    pool.ready_all()
    pool.wait(10.0)
    assert early.state is JobState.RUNNING


def test_the_result_wins_over_a_timeout_that_comes_later() -> None:
    pool = FakePool()
    job = pool.submit(timeout_s=1.0)
    pool.ready_all()
    pool.done(pool.worker())
    pool.wait(5.0)
    assert pool.ending(job) == "value"


@pytest.mark.parametrize(("kind", "error"), [("error", JobError), ("unavailable", EngineUnavailableError)])
def test_what_the_engine_says_is_an_answer_and_not_retried(kind: str, error: type[Exception]) -> None:
    pool = FakePool(retry=Retry.up_to(5))
    job = pool.submit()
    pool.ready_all()
    pool.failed(pool.worker(), kind)
    assert isinstance(pool.ending(job), error)


def test_deaths_are_retried_and_then_poison() -> None:
    pool = FakePool(retry=Retry.up_to(2))
    job, other = pool.submit(), pool.submit()
    pool.ready_all()
    pool.die(pool.worker(), -11)
    pool.wait(0.0)
    assert (job.state, other.state) == (JobState.WAITING, JobState.WAITING)
    pool.ready_all()
    assert (job.state, other.state) == (JobState.RUNNING, JobState.WAITING), "it keeps its turn"
    pool.die(pool.worker(), -6)
    error = pool.ending(job)
    assert isinstance(error, JobPoisonedError)
    assert [attempt.cause for attempt in error.attempts] == ["SIGSEGV", "SIGABRT"]
    assert pool.exits() == {"crash": 2}


def test_without_retries_a_death_is_a_death() -> None:
    pool = FakePool()
    job = pool.submit()
    pool.ready_all()
    pool.die(pool.worker(), 3)
    error = pool.ending(job)
    assert isinstance(error, WorkerDiedError)
    assert error.stderr_tail == "words of 100"


@pytest.mark.parametrize(("rose", "reason"), [(True, "oom"), (False, "killed")])
def test_the_kernels_kill_is_told_apart(rose: bool, reason: str) -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.oom = rose
    pool.die(pool.worker(), -9)
    assert pool.exits() == {reason: 1}


def test_a_reply_out_of_turn_breaks_the_protocol() -> None:
    pool = FakePool()
    job = pool.submit()
    pool.ready_all()
    link = pool.links[0]
    pool.receive(pool.worker(), Unloaded(1, 0.0))
    assert link.signals == [signal.SIGKILL]
    pool.die(link.worker, -9)
    assert "broken protocol" in str(pool.ending(job))
    assert pool.exits() == {"protocol": 1}


def test_garbage_while_nothing_runs_costs_no_job() -> None:
    pool = FakePool(prestart=FUNCTION_MODEL)
    pool.ready_all()
    pool.supervisor.broke_protocol(pool.worker(), ProtocolError("garbage"), pool.now)
    pool.settle()
    pool.reap_leaving()
    assert pool.exits() == {"protocol": 1}
    assert pool.worker().state is WorkerState.STARTING, "kept warm"


# ------------------------------------------------------------------ starting


def test_a_pool_of_one_model_loads_it_into_every_slot() -> None:
    pool = FakePool("m", workers=3, prestart="m")
    assert len(pool.links) == 3


def test_starts_that_fail_take_the_model_out_and_no_other() -> None:
    pool = FakePool("bad", "good")
    jobs = [pool.submit("bad"), pool.submit("bad")]
    for _ in range(3):
        pool.die(pool.worker(), 1)
    for job in jobs:
        error = pool.ending(job)
        assert isinstance(error, ModelOutOfUseError)
        assert len(error.evidence) == 3
    assert isinstance(pool.ending(pool.submit("bad")), ModelOutOfUseError)
    good = pool.submit("good")
    pool.ready_all()
    assert good.state is JobState.RUNNING
    assert pool.exits() == {"start-failed": 3}
    assert pool.places == 0


def test_what_is_missing_fails_the_waiting_jobs_at_once() -> None:
    pool = FakePool()
    job = pool.submit()
    pool.receive(pool.worker(), Ready())
    pool.failed(pool.worker(), "unavailable")
    assert isinstance(pool.ending(job), EngineUnavailableError)
    pool.reap_leaving()
    assert pool.exits() == {"start-failed": 1}


def test_a_system_without_processes_is_no_endless_loop() -> None:
    pool = FakePool()
    pool.spawn_fails = 100
    assert isinstance(pool.ending(pool.submit()), ModelOutOfUseError)
    assert pool.spawn_fails == 97
    assert pool.registry.budget.reserved_bytes == 0


def test_a_start_without_end_is_ended() -> None:
    pool = FakePool(start_timeout_s=10)
    pool.submit()
    pool.wait(10)
    assert len(pool.links) == 2
    assert pool.links[0].signals == [signal.SIGTERM]


# ------------------------------------------------------------------ ending


def test_close_finishes_what_came_and_sees_everybody_off() -> None:
    pool = FakePool(workers=2)
    jobs = [pool.submit() for _ in range(3)]
    pool.supervisor.close(pool.now)
    pool.settle()
    pool.ready_all()
    while any(worker.job for worker in pool.registry.workers()):
        pool.done(next(worker for worker in pool.registry.workers() if worker.job))
    assert [pool.ending(job) for job in jobs] == ["value"] * 3
    assert not pool.supervisor.finished
    pool.reap_leaving()
    assert pool.supervisor.finished
    assert pool.exits() == {"shutdown": 2}


def test_a_retry_is_finished_before_the_pool_closes() -> None:
    pool = FakePool(retry=Retry.up_to(2))
    job = pool.submit()
    pool.ready_all()
    pool.supervisor.close(pool.now)
    pool.settle()
    pool.die(pool.worker(), -11)
    assert not pool.supervisor.finished
    pool.wait(0.1)
    pool.ready_all()
    pool.done(pool.worker())
    pool.reap_leaving()
    assert pool.ending(job) == "value"
    assert pool.supervisor.finished


def test_stop_drops_everything() -> None:
    pool = FakePool()
    running, waiting = pool.submit(), pool.submit()
    pool.ready_all()
    pool.supervisor.stop(pool.now)
    pool.settle()
    for job in (running, waiting):
        assert isinstance(pool.ending(job), JobCancelledError)
    assert pool.links[0].signals == [signal.SIGKILL]
    pool.reap_leaving()
    assert pool.supervisor.finished


def test_events_tell_the_whole_story() -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    pool.supervisor.close(pool.now)
    pool.settle()
    pool.reap_leaving()
    names = [type(event).__name__ for event in pool.events]
    assert names == ["WorkerStarted", "WorkerLoaded", "JobEnded", "WorkerDismissed", "WorkerLeft"]
    ended = next(event for event in pool.events if isinstance(event, JobEnded))
    assert (ended.outcome, ended.slot, ended.attempts) == ("result", 0, 0)
    left = next(event for event in pool.events if isinstance(event, WorkerLeft))
    assert (left.reason, left.jobs, left.stderr_tail) == ("shutdown", 1, "words of 100")


@pytest.mark.parametrize("unread", [supervisor.MOST_UNREAD, supervisor.MOST_UNREAD + 1])
def test_a_worker_whose_text_nobody_reads_waits(unread: int) -> None:
    pool = FakePool()
    job = pool.submit()
    pool.ready_all()
    pool.receive(pool.worker(), Chunk(1, "x" * unread))
    assert pool.links[0].paused is (unread > supervisor.MOST_UNREAD)
    pool.supervisor.text_was_read(job, pool.now)
    assert not pool.links[0].paused


def test_text_that_nobody_will_read_ends_its_job_and_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "MOST_KEPT", 2_000)
    monkeypatch.setattr(supervisor, "MOST_UNREAD", 1_000)
    pool = FakePool()
    job = pool.submit()
    pool.ready_all()
    pool.receive(pool.worker(), Chunk(1, "x" * 2_000))
    assert job.state is JobState.RUNNING
    pool.receive(pool.worker(), Chunk(1, "x"))
    assert "2,001 characters of its text were never read; read the stream" in str(pool.ending(job))
    assert pool.links[0].sent[-1] == Cancel(1)


def loaded(pool: FakePool) -> list[str]:
    return [worker.model_queue.name for worker in pool.registry.workers()]


def test_a_model_that_is_kept_warm_is_loaded_at_once_and_again_whenever_there_is_room() -> None:
    recycle = Recycle(models={"other": Recycle(max_idle_s=5.0)})
    pool = FakePool("kept", "other", workers=1, keep_warm=("kept",), recycle=recycle)
    assert loaded(pool) == ["kept"], "though nobody asked"
    pool.ready_all()
    job = pool.submit("other")
    pool.reap_leaving()
    pool.ready_all()
    assert job.state is JobState.RUNNING, "it makes way for a job"
    pool.done(pool.worker())
    assert loaded(pool) == ["other"], "and evicts nobody to come back"
    pool.wait(6.0)
    pool.reap_leaving()
    assert loaded(pool) == ["kept"], "once the other has been idle for so long as it may"


def test_a_model_that_is_kept_warm_has_one_worker_and_not_one_a_slot() -> None:
    pool = FakePool("kept", "other", workers=3, keep_warm=("kept",))
    pool.ready_all()
    assert loaded(pool) == ["kept"]


def test_a_model_that_is_kept_warm_and_cannot_be_started_is_not_tried_for_ever() -> None:
    pool = FakePool("kept", workers=2, keep_warm=("kept",))
    for _ in range(20):
        for worker in list(pool.registry.workers()):
            pool.die(worker, 1)
    assert loaded(pool) == []
    assert pool.exits() == {"start-failed": 3}, "as often as a model may fail to start"

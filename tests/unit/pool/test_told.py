"""What users are told, each fact of it: events, results, errors, metrics and the series of a slot."""

from __future__ import annotations

import signal

import pytest
import tenacity
from fake_pool import MIB, FakePool
from quick_jobs import quick_pool

from orchestrator.errors import (
    JobCancelledError,
    JobError,
    JobPoisonedError,
    ModelOutOfUseError,
    ProtocolError,
    WorkerDiedError,
)
from orchestrator.pool.core.states import WorkerState
from orchestrator.pool.events import (
    JobEnded,
    ModelTakenOut,
    WorkerDismissed,
    WorkerLeft,
    WorkerLoaded,
    WorkerStarted,
)
from orchestrator.pool.models import FUNCTION_MODEL
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.results import Timings, Transcription, WorkerTag
from orchestrator.pool.retries import Retry
from orchestrator_worker.protocol import ChunkTimes, Done, Failed, Loaded, Ready, Unloaded
from orchestrator_worker.results import Transcript, pack_result


def first_worker(generation: int = 1) -> dict[str, object]:
    return {"slot": 0, "generation": generation, "pid": 100, "model": FUNCTION_MODEL}


def test_events_of_a_worker_that_works_and_goes_have_all_facts() -> None:
    pool = FakePool(recycle=Recycle(max_idle_s=30.0))
    pool.submit()
    pool.wait(2.0)
    pool.receive(pool.worker(), Ready())
    pool.receive(pool.worker(), Loaded(0, 0.5, ["call"]))
    pool.wait(1.0)
    pool.done(pool.worker(), seconds=0.75)
    pool.wait(40.0)
    pool.die(next(iter(pool.registry.leaving)), 0)
    assert pool.events == [
        WorkerStarted(at_s=1000.0, **first_worker(), start="exec"),
        WorkerLoaded(at_s=1002.0, **first_worker(), start_s=2.0, load_s=0.5, rss_bytes=50 * MIB),
        JobEnded(
            at_s=1003.0,
            job=1,
            task="call",
            model=FUNCTION_MODEL,
            outcome="result",
            waited_s=2.0,
            run_s=1.0,
            slot=0,
            attempts=0,
        ),
        WorkerDismissed(at_s=1033.0, **first_worker(), reason="idle"),
        WorkerLeft(
            at_s=1043.0,
            **first_worker(),
            reason="idle",
            cause="exit code 0",
            jobs=1,
            peak_bytes=50 * MIB,
            stderr_tail="words of 100",
        ),
    ]


def test_events_of_a_model_that_cannot_start_have_all_facts() -> None:
    pool = FakePool()
    pool.submit()
    for _ in range(3):
        pool.wait(1.0)
        pool.die(pool.worker(), 3)
    left = [event for event in pool.events if isinstance(event, WorkerLeft)]
    assert [(event.at_s, event.reason, event.generation) for event in left] == [
        (1001.0, "start-failed", 1),
        (1002.0, "start-failed", 2),
        (1003.0, "start-failed", 3),
    ]
    (taken,) = [event for event in pool.events if isinstance(event, ModelTakenOut)]
    assert (taken.at_s, taken.model, len(taken.evidence)) == (1003.0, FUNCTION_MODEL, 3)
    assert all("exit code 3" in evidence for evidence in taken.evidence)
    ended = pool.events[-1]
    assert isinstance(ended, JobEnded)
    assert (ended.outcome, ended.waited_s, ended.run_s, ended.slot) == ("refused", 3.0, 0.0, None)
    died = pool.ending(pool.jobs[0]).__cause__
    assert isinstance(died, WorkerDiedError)
    assert (died.phase, died.exit_status, died.stderr_tail, died.generation) == (
        "start",
        3,
        "words of 100",
        3,
    )


def test_a_model_that_its_engine_cannot_load_is_refused_with_what_that_said() -> None:
    pool = FakePool()
    job = pool.submit()
    for _ in range(3):
        pool.receive(pool.worker(), Ready())
        pool.receive(pool.worker(), Failed(0, "error", "ValueError", "no such beam"))
        pool.reap_leaving()
    error = pool.ending(job)
    assert isinstance(error, ModelOutOfUseError)
    assert all("no such beam" in evidence for evidence in error.evidence)
    assert isinstance(error.__cause__, JobError)


def test_a_worker_that_closed_its_pipe_and_lives_on_is_killed_and_its_job_told_why() -> None:
    pool = FakePool(term_grace_s=2.0)
    job = pool.submit()
    pool.ready_all()
    link = pool.links[0]
    pool.supervisor.hung_up(link.worker, pool.now)
    pool.wait(1.0)
    pool.supervisor.hung_up(link.worker, pool.now)  # the other pipe too: no more time for that
    pool.wait(0.9)
    assert link.signals == []
    pool.wait(0.2)
    assert link.signals == [signal.SIGKILL]
    pool.die(link.worker, -9)
    assert "it closed its end of a pipe and lives on" in str(pool.ending(job))
    assert pool.exits() == {"protocol": 1}


def test_a_leaving_worker_that_closed_its_pipe_is_killed_when_its_time_is_over() -> None:
    pool = FakePool(term_grace_s=2.0, polite_grace_s=100.0)
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    link = pool.links[0]
    pool.supervisor.close(pool.now)
    pool.settle()
    pool.supervisor.hung_up(link.worker, pool.now)
    pool.wait(2.1)
    assert link.signals == [signal.SIGKILL]
    pool.die(link.worker, -9)
    assert pool.exits() == {"shutdown": 1}


def test_a_result_has_its_times_and_its_worker() -> None:
    pool = FakePool()
    job = pool.submit()
    pool.wait(2.0)
    pool.ready_all()
    pool.wait(1.0)
    packed = pack_result(Transcript("text", "en"))
    pool._link(pool.worker()).answer(Done(job.id, *packed, 0.75, ChunkTimes(2, 0.25, 0.5)))
    pool.hear(pool.worker())
    tag = WorkerTag(0, 1, 100, FUNCTION_MODEL)
    assert pool.ending(job) == Transcription("text", "en", [], Timings(2.0, 0.75, 0.25, 0.5), tag)


def test_a_series_has_the_time_the_generation_the_state_and_the_job_of_each_reading() -> None:
    pool = FakePool(sample_interval_s=0.5)
    job = pool.submit()
    pool.wait(0.6)
    pool.ready_all()
    pool.links[0].rss = 80 * MIB
    pool.wait(0.6)
    assert [tuple(sample) for sample in pool.registry.slots[0].series] == [
        (1000.5, 50 * MIB, 1, "starting", None),
        (1001.0, 80 * MIB, 1, "busy", job.id),
    ]


def test_what_never_began_counts_no_time_of_work() -> None:
    pool = FakePool()
    pool.cancel(pool.submit())
    job = pool.submit()
    pool.ready_all()
    pool.wait(0.5)
    pool.done(pool.worker())
    assert job.started_at == 1000.0
    metrics = pool.registry.metrics
    assert (list(metrics.waits_s), list(metrics.runs_s)) == ([0.0, 0.0], [0.5])
    assert metrics.outcomes == {("call", "cancelled"): 1, ("call", "result"): 1}


def test_a_job_that_killed_every_worker_is_counted_as_poisoned() -> None:
    pool = FakePool(retry=Retry.up_to(2))
    job = pool.submit()
    for _ in range(2):
        pool.ready_all()
        pool.wait(1.0)
        pool.die(pool.worker())
        pool.wait(0.0)
    error = pool.ending(job)
    assert isinstance(error, JobPoisonedError)
    assert [(one.number, one.run_s, one.generation) for one in error.attempts] == [(1, 1.0, 1), (2, 1.0, 2)]
    ended = [event for event in pool.events if isinstance(event, JobEnded)]
    assert [(event.outcome, event.attempts) for event in ended] == [("poisoned", 2)]


def test_attempts_are_bounded_by_the_time_since_the_first_began() -> None:
    pool = FakePool(retry=Retry(stop=tenacity.stop_after_delay(10.0)))
    job = pool.submit()
    pool.wait(100.0)  # what it waited for its first start does not count
    for _ in range(3):
        pool.ready_all()
        assert not job.promise.done()
        pool.wait(4.0)
        pool.die(pool.worker())
        pool.wait(0.0)
    assert isinstance(pool.ending(job), JobPoisonedError)


def test_a_load_that_the_host_refused_names_its_worker() -> None:
    pool = FakePool()
    pool.submit()
    pool.receive(pool.worker(), Ready())
    pool.receive(pool.worker(), Failed(0, "error", "OSError", "[Errno 12] Cannot allocate memory"))
    (said,) = pool.warnings
    assert said == (
        "worker 0 generation 1 (pid 100): [Errno 12] Cannot allocate memory; going on with 1 of 1 workers, "
        "trying again with growing pauses"
    )


def test_a_failure_that_nobody_asked_for_ends_an_idle_worker() -> None:
    pool = FakePool()
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    link = pool.links[0]
    assert pool.worker().state is WorkerState.IDLE
    pool.receive(pool.worker(), Failed(0, "error", "ValueError", "no reason"))
    assert link.worker.cause == "a broken protocol (Failed out of turn, while idle: no reason)"


def test_garbage_at_every_start_takes_the_model_out() -> None:
    pool = FakePool()
    job = pool.submit()
    for _ in range(3):
        pool.supervisor.broke_protocol(pool.worker(), ProtocolError("garbage"), pool.now)
        pool.settle()
    error = pool.ending(job)
    assert isinstance(error, ModelOutOfUseError)
    assert all("garbage" in evidence for evidence in error.evidence)


def test_a_reply_out_of_turn_is_named_with_the_state() -> None:
    pool = FakePool()
    pool.submit()
    worker = pool.worker()
    pool.receive(worker, Unloaded(1, 0.0))
    assert worker.cause == "a broken protocol (Unloaded out of turn, while starting)"
    dismissed = [event for event in pool.events if isinstance(event, WorkerDismissed)]
    assert [(event.at_s, event.reason) for event in dismissed] == [(pool.now, "protocol")]


def test_a_trim_without_end_is_the_cause_of_a_workers_end() -> None:
    pool = FakePool(recycle=Recycle(trim_every=1))
    pool.submit()
    pool.ready_all()
    pool.done(pool.worker())
    pool.wait(60.0)
    pool.reap_leaving()
    left = [event for event in pool.events if isinstance(event, WorkerLeft)]
    assert [(event.reason, event.cause) for event in left] == [("timeout", "a heap trim without end")]


def test_an_engine_that_gives_up_by_itself_has_cancelled_its_job() -> None:
    pool = FakePool()
    job = pool.submit()
    pool.ready_all()
    pool.failed(pool.worker(), "cancelled", "")
    assert "the engine gave up" in str(pool.ending(job))
    assert pool.registry.metrics.outcomes == {("call", "cancelled"): 1}


@pytest.mark.parametrize("prefetched", [0, 2])
def test_a_cancel_just_before_its_start_is_a_cancel(prefetched: int) -> None:
    """The caller was quicker than we: its job is not given to the worker that becomes free."""
    pool = quick_pool()
    pool.submit()
    jobs = [pool.submit() for _ in range(1 + prefetched)]
    jobs[0].promise.cancelled = True  # type: ignore[attr-defined]
    pool.done(pool.worker(), seconds=0.0)
    error = pool.ending(jobs[0])
    assert isinstance(error, JobCancelledError)
    assert error.pid == 100


def test_stop_is_the_reason_why_workers_go() -> None:
    pool = FakePool(workers=2)
    for _ in range(2):
        pool.submit()
    pool.wait(3.0)
    pool.supervisor.stop(pool.now)
    dismissed = [event for event in pool.events if isinstance(event, WorkerDismissed)]
    assert [(event.at_s, event.slot, event.reason) for event in dismissed] == [
        (1003.0, 0, "shutdown"),
        (1003.0, 1, "shutdown"),
    ]

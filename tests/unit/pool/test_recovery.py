"""A decision that is interrupted before any of its lines: no job is lost or done twice, and the pool goes on."""

import signal
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from fake_pool import FakePool
from quick_jobs import everybody, quick_pool, with_prefetched, work_off

from orchestrator.errors import JobCancelledError, JobTimeoutError, WorkerDiedError
from orchestrator.pool import core
from orchestrator.pool.core.entities import JobRecord, Worker
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.retries import Retry
from orchestrator_worker.protocol import ChunkTimes, Done, Failed
from orchestrator_worker.results import Plain, pack_result

CORE = str(Path(core.__file__).parent)
MOST_LINES = 2000


def interrupted_at(line: int, call: Callable[..., object], *arguments: Any) -> bool:
    """Make the call, with a KeyboardInterrupt before the given line of the core; False when it has fewer lines."""
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.startswith(CORE):
            return None
        if event == "line":
            seen += 1
            if seen == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call(*arguments)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


class Table:
    """A fake pool, whose decisions are made as the event loop makes them."""

    def __init__(self, pool: FakePool) -> None:
        self.pool = pool
        self.unheard: deque[Any] = deque()
        self.speaker: Worker | None = None
        self.may_have_written = False
        """Whether the interrupt came after the note that a write begins."""

    def hear(self, worker: Worker) -> None:
        """As the event loop receives what a worker said."""
        self.speaker = worker
        said = self.pool._link(worker).replies
        while said:
            self.unheard.append(said.popleft())
        while self.unheard:
            self.pool.registry.touch(worker, self.unheard[0])
            self.pool.supervisor.received(worker, self.unheard.popleft(), self.pool.now)
            self.pool.registry.touched.clear()

    def decide(self, line: int, call: Callable[..., object], *arguments: Any) -> bool:
        """Make one decision, interrupted; then what the pool's thread does about it."""
        self.pool.registry.new_decision()
        if not interrupted_at(line, call, *arguments):
            return False
        self.may_have_written = self.pool.registry.has_written
        struck = self.pool.supervisor.recover(None, self.pool.now)
        for worker, reply in struck:
            self.pool.supervisor.received(worker, reply, self.pool.now)
        while self.unheard:
            reply = self.unheard.popleft()
            if not any(reply is other for _, other in struck):
                assert self.speaker is not None
                self.pool.supervisor.received(self.speaker, reply, self.pool.now)
        if isinstance(arguments[0], JobRecord):  # its caller is interrupted while it submits
            self.pool.supervisor.withdraw(arguments[0], self.pool.now)
        self.pool.settle()
        return True

    def goes_on(self) -> list[Any]:
        """Let the killed die, have all work done; return how the jobs ended, once each."""
        pool = self.pool
        for worker in [worker for worker in everybody(pool) if worker.state is WorkerState.LEAVING]:
            assert signal.SIGKILL in pool._link(worker).signals
            pool.die(worker, -signal.SIGKILL)
        pool.ready_all()
        work_off(pool)
        for _ in range(3):
            pool.submit()
        pool.ready_all()
        work_off(pool)
        registry = pool.registry
        assert not registry.queues_with_jobs
        assert not registry.with_prefetched
        assert not registry.leaving
        assert registry.budget.reserved_bytes == sum(
            registry.budget.held_by(one) for one in registry.workers()
        )
        for model_queue in registry.model_queues.values():
            assert len(model_queue.waiting) == 0
            assert set(model_queue.idle) == model_queue.workers
        # A place may be kept for a job that is over, if the interrupt came between the two; never one given back twice.
        assert 0 <= pool.places <= 1
        endings = [pool.ending(job) for job in pool.jobs]
        assert all(ending is not None for ending in endings), "an error is said in words"
        return endings


def every_line(make: Callable[[], tuple[FakePool, Callable[[Table], tuple[Any, ...]]]]) -> list[list[Any]]:
    """Interrupt a decision before each of its lines, in a new pool each time; return how all jobs ended then."""
    found: list[list[Any]] = []
    for line in range(1, MOST_LINES):
        pool, decision = make()
        table = Table(pool)
        if not table.decide(line, *decision(table)):
            assert line > 10, "the decision has lines"
            return found
        found.append(table.goes_on())
    raise AssertionError("a decision without end")


def lost(endings: list[Any]) -> list[WorkerDiedError]:
    assert all(isinstance(one, WorkerDiedError) for one in endings if isinstance(one, BaseException))
    return [one for one in endings if isinstance(one, WorkerDiedError)]


def new_job(pool: FakePool) -> JobRecord:
    """Return a job that is not handed in yet."""
    submit = pool.supervisor.submit
    pool.supervisor.submit = lambda *_: None  # type: ignore[method-assign]
    job = pool.submit()
    pool.supervisor.submit = submit  # type: ignore[method-assign]
    return job


@pytest.mark.parametrize("workers", [1, 2])
def test_submit_to_an_idle_worker(workers: int) -> None:
    def make() -> Any:
        pool = quick_pool(workers=workers)
        job = new_job(pool)
        return pool, lambda _: (pool.supervisor.submit, job, pool.now)

    for endings in every_line(make):
        assert isinstance(endings[workers], JobCancelledError), "its caller has no future"


def test_submit_into_the_queue_and_before_prefetched_jobs() -> None:
    for priority in (0, 5):

        def make(priority: int = priority) -> Any:
            pool = quick_pool()
            with_prefetched(pool, 4)
            job = new_job(pool)
            job.priority = priority
            return pool, lambda _: (pool.supervisor.submit, job, pool.now)

        for endings in every_line(make):
            assert isinstance(endings.pop(7), JobCancelledError)
            assert len(lost(endings)) <= 1, "the job that ran, at most"


@pytest.mark.parametrize("prefetched", [0, 1, 5, 20])
@pytest.mark.parametrize("waiting", [0, 1, 40])
def test_an_answer(prefetched: int, waiting: int) -> None:
    def make() -> Any:
        pool = quick_pool()
        with_prefetched(pool, prefetched)
        for _ in range(waiting):
            pool.submit()
        worker = pool.worker()
        pool.end_job(worker, seconds=0.0)
        return pool, lambda table: (table.hear, worker)

    for endings in every_line(make):
        assert len(lost(endings)) <= 1, "the job that the worker had begun, at most"


@pytest.mark.parametrize(("prefetched", "waiting"), [(0, 1), (0, 3), (1, 40)])
def test_a_job_that_was_taken_for_a_worker_and_not_written_costs_no_attempt(
    prefetched: int, waiting: int
) -> None:
    taken = 0
    for line in range(1, MOST_LINES):
        pool = quick_pool()
        with_prefetched(pool, prefetched)
        for _ in range(waiting):
            pool.submit()
        worker, table = pool.worker(), Table(pool)
        pool.end_job(worker, seconds=0.0)
        if not table.decide(line, table.hear, worker):
            break
        if table.may_have_written:
            continue
        written = {int(frame) for frame in pool._link(worker).frames}
        taken += any(job.id not in written for job in pool.registry.in_hand)
        table.goes_on()
        lost_jobs = {job.id for job in pool.jobs if isinstance(pool.ending(job), WorkerDiedError)}
        assert lost_jobs <= written, f"interrupted at line {line}"
    assert taken, "no interrupt came between the two"


def test_several_answers_at_once_are_all_heard() -> None:
    def make() -> Any:
        pool = quick_pool()
        with_prefetched(pool, 6)
        worker = pool.worker()
        for _ in range(3):
            pool.end_job(worker, seconds=0.0)
        return pool, lambda table: (table.hear, worker)

    for endings in every_line(make):
        assert len(lost(endings)) <= 1
        assert endings[2:5] == ["value"] * 3, "what was answered is answered"


def test_an_error_of_an_engine() -> None:
    def make() -> Any:
        pool = quick_pool()
        jobs = with_prefetched(pool, 2)
        worker = pool.worker()
        link = pool._link(worker)
        link.answer(Failed(jobs[0].id, "error", "ValueError", "no"))
        return pool, lambda table: (table.hear, worker)

    pool, decision = make()
    for line in range(1, MOST_LINES):
        pool, decision = make()
        table = Table(pool)
        if not table.decide(line, *decision(table)):
            return
        endings = table.goes_on()
        assert sum(isinstance(one, BaseException) for one in endings) <= 2  # its own, and one that was begun


def test_an_interrupted_job_is_tried_again_where_it_has_attempts() -> None:
    def make() -> Any:
        pool = quick_pool(retry=Retry.up_to(2))
        with_prefetched(pool, 3)
        worker = pool.worker()
        pool.end_job(worker, seconds=0.0)
        return pool, lambda table: (table.hear, worker)

    for line in range(1, MOST_LINES):
        pool, decision = make()
        table = Table(pool)
        if not table.decide(line, *decision(table)):
            return
        for worker in [one for one in everybody(pool) if one.state is WorkerState.LEAVING]:
            pool.die(worker, -signal.SIGKILL)
        pool.wait(0.1)
        assert lost(table.goes_on()) == []


def test_other_workers_do_not_notice() -> None:
    def make() -> Any:
        pool = quick_pool(workers=2)
        pool.submit()
        pool.submit()
        pool.end_job(pool.worker(0), seconds=0.0)
        return pool, lambda table: (table.hear, pool.worker(0))

    for line in range(1, MOST_LINES):
        pool, decision = make()
        other, job = pool.worker(1), pool.worker(1).job
        assert job is not None
        table = Table(pool)
        if not table.decide(line, *decision(table)):
            return
        assert (pool.worker(1), other.state, other.job) == (other, WorkerState.BUSY, job)
        assert job.state is JobState.RUNNING
        assert pool._link(other).signals == []
        table.goes_on()


@pytest.mark.parametrize("waiting", [2, 12, 60])
def test_what_another_worker_was_given_in_the_same_decision_stays_with_it(waiting: int) -> None:
    """It is in that worker's pipe; in the queue too it would be done twice, and answered out of turn."""
    struck = 0
    for line in range(1, MOST_LINES):
        pool = quick_pool(workers=2)
        for _ in range(2 + waiting):
            pool.submit()
        both = [pool.worker(0), pool.worker(1)]
        for worker in both:
            pool.end_job(worker, seconds=0.0)
        table = Table(pool)
        if not table.decide(line, lambda *workers, table=table: [table.hear(one) for one in workers], *both):
            break
        struck += both[1] in pool.registry.leaving
        for worker in both:
            pool.hear(worker)  # what stood in its pipe is read in the next round
        held = [job for one in everybody(pool) for job in (one.job, *one.prefetched) if job is not None]
        queued = [job for each in pool.registry.model_queues.values() for job in each.waiting.members()]
        assert len([*held, *queued]) == len({*held, *queued}), f"interrupted at line {line}"
        assert len(lost(table.goes_on())) <= 1
    assert struck > 10


def test_what_was_answered_in_the_interrupted_moment_has_its_result() -> None:
    """The answer was read from the pipe before the interrupt, and nobody else has it."""
    pool = quick_pool()
    job = with_prefetched(pool, 0)[0]
    pool._link(pool.worker()).answer(Done(job.id, *pack_result(Plain("precious")), 0.0, ChunkTimes()))
    table = Table(pool)
    assert table.decide(5, table.hear, pool.worker())
    assert pool.ending(job) == "precious"


@pytest.mark.parametrize("attempts", [1, 2])
def test_jobs_whose_answers_may_be_lost_count_as_begun(attempts: int) -> None:
    """The worker's answers were being read: it may have done any of them, and none is run again without an attempt."""
    pool = quick_pool(retry=Retry.up_to(attempts))
    with_prefetched(pool, 3)
    worker = pool.worker()
    pool.registry.new_decision()
    pool.supervisor.recover(worker, pool.now)
    pool.settle()
    pool.die(worker, -signal.SIGKILL)
    pool.wait(0.1)
    assert len(lost(Table(pool).goes_on())) == (4 if attempts == 1 else 0)
    assert pool.places == 0


@pytest.mark.parametrize("what", ["an answer", "a tick", "a plan", "a death"])
@pytest.mark.parametrize(("prefetched", "waiting"), [(0, 0), (0, 3), (5, 3)])
def test_every_job_is_found_before_each_line_of_a_decision(what: str, prefetched: int, waiting: int) -> None:
    """So that whoever ends all jobs, because the decision cannot be completed, forgets none."""
    for line in range(1, MOST_LINES):
        pool = quick_pool()
        with_prefetched(pool, prefetched)
        for _ in range(waiting):
            pool.submit()
        worker, table = pool.worker(), Table(pool)
        pool.now += 10.0
        decisions: dict[str, tuple[Any, ...]] = {
            "an answer": (table.hear, worker),
            "a tick": (pool.supervisor.tick, pool.now),
            "a plan": (pool.supervisor.settle, pool.now),
            "a death": (pool.supervisor.exited, worker, -signal.SIGKILL, "SIGKILL", pool.now),
        }
        if what == "an answer":
            pool.end_job(worker, seconds=0.0)
        if what == "a plan":
            pool.registry.replan = True
        pool.registry.new_decision()
        if not interrupted_at(line, *decisions[what]):
            return
        found = set(pool.registry.jobs())
        assert [job for job in pool.jobs if not job.promise.done() and job not in found] == [], line
    raise AssertionError("a decision without end")


def test_a_job_that_must_start_in_time_still_must_after_an_interrupt() -> None:
    pool = quick_pool()
    pool.submit()
    job = pool.submit(queue_timeout_s=5.0)
    pool.registry.new_decision()
    pool.registry.in_hand.append(job)
    pool.supervisor.recover(None, pool.now)
    pool.settle()
    pool.wait(4.9)
    assert not job.promise.done()
    pool.wait(0.2)
    error = pool.ending(job)
    assert isinstance(error, JobTimeoutError)
    assert error.where == "queue"


def test_a_job_whose_error_was_lost_is_told_of_the_interrupt() -> None:
    """It was about to end: what it is made of is given back already."""
    pool = quick_pool()
    pool.submit()
    job = pool.submit()
    pool.registry.new_decision()
    pool.registry.in_hand.append(job)
    job.frame = b""
    pool.supervisor.recover(None, pool.now)
    error = pool.ending(job)
    assert isinstance(error, JobCancelledError)
    assert "an interrupt in the middle of a decision" in str(error)

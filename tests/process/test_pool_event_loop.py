"""Who runs the pool: its thread, or a caller that waits; whoever does, every answer finds its caller."""

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from orchestrator.errors import JobCancelledError, JobTimeoutError, PoolClosedError, WorkerDiedError
from orchestrator.pool.core.entities import Sample
from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.submission.checked_options import FAST_PATH_VARIABLE

pytestmark = pytest.mark.usefixtures("nothing_left", "fast_path")
DEADLINE_S = 60.0


@pytest.fixture(params=["1", "0"], ids=["callers run the loop", "the thread alone"])
def fast_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Everything here holds with the fast path and without it."""
    monkeypatch.setenv(FAST_PATH_VARIABLE, request.param)
    return request.param == "1"


class InterruptedHereError(BaseException):
    """What the tests' signal handler raises."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    def strike(number: int, frame: FrameType | None) -> None:
        raise InterruptedHereError

    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_one_after_the_other_from_one_thread() -> None:
    with Pool() as pool:
        assert [pool.submit(Call("operator:add", n, 1)).result(DEADLINE_S) for n in range(500)] == [
            *range(1, 501)
        ]


@pytest.mark.parametrize("workers", [1, 3])
def test_many_threads_that_wait_at_once_all_get_their_own_answer(workers: int) -> None:
    wrong: list[Any] = []

    def ask(first: int) -> None:
        for number in range(first, first + 100):
            answer = pool.submit(Call("operator:mul", number, 3)).result(DEADLINE_S)
            if answer != number * 3:
                wrong.append((number, answer))

    with Pool(workers=workers) as pool:
        threads = [threading.Thread(target=ask, args=(1000 * n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_answers_come_although_nobody_waits_for_them() -> None:
    with Pool(workers=2) as pool:
        futures = [pool.submit(Call("operator:add", n, n)) for n in range(50)]
        assert not wait(futures, DEADLINE_S).not_done
        assert [future.result(0) for future in futures] == [2 * n for n in range(50)]


def test_a_second_job_goes_on_when_the_caller_that_took_turns_has_its_answer() -> None:
    with Pool(workers=2) as pool:
        slow = pool.submit(Call("time:sleep", 0.3))
        assert pool.submit(Call("operator:add", 1, 1)).result(DEADLINE_S) == 2
        assert not wait([slow], DEADLINE_S).not_done


def test_a_caller_whose_time_is_over_leaves_and_the_job_goes_on(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with Pool() as pool:
        slow = pool.submit(Call("pool_functions:wait_for", str(gate)))
        with pytest.raises(TimeoutError):
            slow.result(0.01)
        gate.touch()
        assert not wait([slow], DEADLINE_S).not_done


def test_limits_of_time_hold_while_a_caller_takes_the_turns() -> None:
    with Pool() as pool:
        with pytest.raises(JobTimeoutError):
            pool.submit(Call("time:sleep", 60.0), timeout_s=0.2).result(DEADLINE_S)
        assert pool.run(Call("operator:add", 1, 1)) == 2


def test_a_death_reaches_the_caller_that_takes_the_turns() -> None:
    with Pool() as pool:
        with pytest.raises(WorkerDiedError):
            pool.submit(Call("os:abort")).result(DEADLINE_S)
        assert pool.run(Call("operator:add", 1, 1)) == 2


def test_a_cancel_from_another_thread_wakes_the_caller_that_takes_the_turns() -> None:
    with Pool() as pool:
        future = pool.submit(Call("time:sleep", 60.0))
        threading.Timer(0.1, future.cancel).start()
        with pytest.raises(JobCancelledError):
            future.result(DEADLINE_S)


def test_a_stop_from_another_thread_wakes_it_too() -> None:
    pool = Pool()
    future = pool.submit(Call("time:sleep", 60.0))
    stopper = threading.Timer(0.1, pool.stop)
    stopper.start()
    with pytest.raises(JobCancelledError):
        future.result(DEADLINE_S)
    stopper.join(DEADLINE_S)
    assert not stopper.is_alive()


def test_memory_is_sampled_while_a_caller_takes_the_turns(tmp_path: Path) -> None:
    """The job ends once it was sampled three times; who sees to that asks the pool nothing, and so wakes nobody."""
    gate = tmp_path / "gate"
    sampled: list[bool] = []

    def open_when_sampled(series: deque[Sample]) -> None:
        ends_s = time.monotonic() + DEADLINE_S
        while not sampled and time.monotonic() < ends_s:
            if sum(sample.state == "busy" for sample in series.copy()) >= 3:
                sampled.append(True)
            time.sleep(0.005)
        gate.touch()

    with Pool() as pool:
        pool.run(Call("operator:add", 0, 0))
        (slot,) = pool._controller._supervisor.registry.slots
        opener = threading.Thread(target=open_when_sampled, args=(slot.series,))
        opener.start()
        assert pool.submit(Call("pool_functions:wait_for", str(gate))).result(2 * DEADLINE_S) == str(gate)
        opener.join()
    assert sampled


def test_a_callback_in_a_turn_may_submit_look_and_not_wait() -> None:
    answers: list[Any] = []
    second: list[Future[Any]] = []

    def go_on(first: Future[Any]) -> None:
        answers.append((first.result(), pool.stats().queue_length))
        second.append(pool.submit(Call("operator:add", 20, 1)))

    with Pool() as pool:
        future = pool.submit(Call("time:sleep", 0.1))
        future.add_done_callback(go_on)
        future.result(DEADLINE_S)
        while not second:
            pool.stats()
        assert second[0].result(DEADLINE_S) == 21
    assert answers == [(None, 0)]


def test_an_interrupt_while_waiting_hurts_nothing(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with Pool() as pool:
        pool.run(Call("operator:add", 0, 0))  # while a worker starts there are decisions that may be struck
        slow = pool.submit(Call("pool_functions:wait_for", str(gate)))
        with pytest.raises(InterruptedHereError), interrupted_after(0.1):
            slow.result()
        gate.touch()
        assert slow.result(DEADLINE_S) == str(gate)
        assert pool.run(Call("operator:add", 1, 1)) == 2


def test_a_fault_in_the_threads_own_decision_ends_the_pool_and_leaves_nobody_waiting(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pool = Pool(workers=2)
    other = pool.submit(Call("time:sleep", 60.0))
    running = pool.submit(Call("pool_functions:wait_for", str(gate)))
    supervisor = pool._controller._supervisor

    def strike(*_: object) -> None:
        raise InterruptedHereError

    supervisor.received = strike  # type: ignore[method-assign]
    gate.touch()
    with pytest.raises((InterruptedHereError, PoolClosedError)):
        running.result(DEADLINE_S)
    with pytest.raises(PoolClosedError, match="InterruptedHereError"):
        other.result(DEADLINE_S)
    assert pool.close(DEADLINE_S)
    with pytest.raises(PoolClosedError):
        pool.submit(Call("operator:add", 1, 1))


@pytest.mark.parametrize("recycle", [None, Recycle(max_jobs=20)], ids=["kept", "replaced"])
def test_interrupts_at_any_moment_leave_answers_or_a_pool_that_says_it_is_over(
    recycle: Recycle | None,
) -> None:
    for turn in range(12):
        pool = Pool(recycle=recycle)
        pool.run(Call("operator:add", 0, 0))
        try:
            with interrupted_after(0.01 + 0.0007 * turn):
                while True:
                    pool.submit(Call("operator:add", 1, 1)).result()
        except InterruptedHereError:
            pass
        with suppress(PoolClosedError):
            assert pool.submit(Call("operator:add", 2, 2)).result(DEADLINE_S) == 4
        assert pool.stop(DEADLINE_S)


def test_a_pool_that_broke_is_asked_to_stop_in_the_same_moment() -> None:
    pool = Pool()
    pool.run(Call("operator:add", 0, 0))
    loop, supervisor = pool._controller._loop, pool._controller._supervisor

    def strike(_: float) -> None:
        loop.inbox.append((supervisor.stop, ()))
        supervisor._prefetch = None  # type: ignore[assignment] # state that nobody can go on with
        raise InterruptedHereError

    supervisor.tick = strike  # type: ignore[method-assign]
    loop.waker.wake()
    assert pool._controller.join(DEADLINE_S)
    with pytest.raises(PoolClosedError):
        pool.submit(Call("operator:add", 1, 1))


# ------------------------------------------------------------------ bugs of ours


def struck(*_: object, **__: object) -> None:
    raise KeyError("a bug")


def strikes(owner: Any, name: str) -> None:
    """From now on this part of every decision raises."""
    setattr(owner, name, struck)


PLACES = {
    "submit": lambda loop: strikes(loop.supervisor, "submit"),
    "what comes after a submit": lambda loop: strikes(loop.supervisor._dispatch, "arrived"),
    "received": lambda loop: strikes(loop.supervisor, "received"),
    "between an answer and its caller": lambda loop: strikes(loop.supervisor._outcomes, "succeed"),
    "after the worker has given its job back": lambda loop: strikes(
        loop.supervisor._after_job, "stands_idle"
    ),
    "the end of a job": lambda loop: strikes(loop.supervisor._outcomes, "_leave"),
    "what is known of jobs": lambda loop: strikes(loop.supervisor.registry, "take_next"),
    "tick": lambda loop: strikes(loop.supervisor, "tick"),
    "settle": lambda loop: strikes(loop.supervisor, "settle"),
    "when the thread must wake": lambda loop: strikes(loop.supervisor, "next_due"),
    "a death": lambda loop: strikes(loop.supervisor, "exited"),
}


def every_future_ends(pool: Pool, futures: list[Any]) -> None:
    """Each with its value, or with what broke the pool; and the pool itself is over, or was never struck."""
    for future in futures:
        error = future.exception(DEADLINE_S)
        if error is not None:
            assert isinstance(error, PoolClosedError)
            assert isinstance(error.__cause__, KeyError)
            assert "KeyError" in str(error)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("main_thread", [True, False], ids=["main thread", "another thread"])
@pytest.mark.usefixtures("no_handlers")
def test_a_bug_anywhere_in_a_decision_ends_the_pool_and_every_job(
    place: str, *, main_thread: bool, tmp_path: Path
) -> None:
    """Whoever makes the decision: the pool's thread, the caller that submits, the one that waits."""
    gate = tmp_path / "gate"
    pool = Pool(workers=2, max_queue=50)
    pool.run(Call("operator:add", 0, 0))
    running = [pool.submit(Call("pool_functions:wait_for", str(gate))) for _ in range(2)]
    waiting = [pool.submit(Call("operator:add", n, 1)) for n in range(5)]
    late: list[Any] = []

    def strike_and_submit() -> None:
        loop = pool._controller._loop
        PLACES[place](loop)
        with suppress(PoolClosedError):
            late.append(pool.submit(Call("operator:add", 1, 1)))
        gate.touch()
        if place == "a death":
            with suppress(PoolClosedError):
                late.append(pool.submit(Call("os:abort")))
        every_future_ends(pool, [*running, *waiting, *late])

    if main_thread:
        strike_and_submit()
    else:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(strike_and_submit).result(2 * DEADLINE_S)
    pool._controller._loop.waker.wake_surely()
    assert pool.close(DEADLINE_S)
    with pytest.raises(PoolClosedError):
        pool.submit(Call("operator:add", 1, 1))


@pytest.fixture
def no_handlers() -> Iterator[None]:
    """Nothing but Ctrl-C raises in the main thread: then an exception in a decision there is a bug as well."""
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("no_handlers")
def test_callbacks_of_a_pool_that_broke_keep_nobody_from_their_error() -> None:
    """One exits, one asks the pool, one submits, one waits for the pool's end: further futures end all the same."""
    pool = Pool(workers=1)
    pool.run(Call("operator:add", 0, 0))
    running = pool.submit(Call("time:sleep", 60.0))
    futures = [pool.submit(Call("operator:add", n, 1)) for n in range(6)]

    def leave(_: object) -> None:
        raise SystemExit(3)

    called: list[int] = []
    futures[0].add_done_callback(leave)
    futures[1].add_done_callback(lambda _: called.append(len(pool.stats().slots)))
    futures[2].add_done_callback(lambda _: pool.submit(Call("operator:add", 1, 1)))
    futures[3].add_done_callback(lambda _: pool.close())
    strikes(pool._controller._supervisor, "tick")
    pool._controller._loop.waker.wake_surely()
    for future in [running, *futures]:
        with pytest.raises(PoolClosedError, match="KeyError") as caught:
            future.result(DEADLINE_S)
        assert isinstance(caught.value.__cause__, KeyError)
    assert pool._controller.join(DEADLINE_S)
    assert called

"""A job's future is a standard future, whose lock is made only when somebody needs it."""

import threading
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, as_completed, wait
from typing import Any

import pytest

from orchestrator.errors import JobCancelledError, JobError
from orchestrator.pool.futures import JobFuture, PoolFuture


class FakeController:
    """Stands in for a pool: counts, and answers when it is asked to drive."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.cancelled: list[Any] = []
        self.drives = 0

    def cancel(self, record: Any) -> None:
        self.cancelled.append(record)

    def drive(self, future: PoolFuture[Any], timeout_s: float | None) -> float | None:
        self.drives += 1
        if self.answer is not None:
            future.resolve(self.answer)
        return timeout_s


def made(future: PoolFuture[Any]) -> bool:
    return future._is_standard


def test_a_result_that_is_read_when_it_is_there_never_makes_the_lock() -> None:
    future: JobFuture[int] = JobFuture()
    assert (future.done(), future.cancelled()) == (False, False) or made(future)
    other: JobFuture[int] = JobFuture()
    assert other.begin()
    assert other.resolve(7)
    assert (other.result(), other.done(), made(other)) == (7, True, False)


def test_a_waiting_caller_drives_the_pool_and_gets_the_answer_without_the_lock() -> None:
    future: JobFuture[int] = JobFuture()
    controller = FakeController(answer=3)
    future.bind(object(), controller)  # type: ignore[arg-type]
    assert (future.result(), controller.drives, made(future)) == (3, 1, False)


@pytest.mark.parametrize("early", [True, False], ids=["asked before", "asked after"])
def test_everything_of_the_standard_library_works_with_it(early: bool) -> None:
    future: JobFuture[int] = JobFuture()
    heard: list[Future[int]] = []
    if early:
        future.add_done_callback(heard.append)
        assert wait([future], 0).not_done == {future}
    assert future.resolve(1)
    if not early:
        future.add_done_callback(heard.append)
    assert heard == [future]
    assert wait([future], return_when=FIRST_COMPLETED).done == {future}
    assert list(as_completed([future])) == [future]
    assert (future.exception(), future.result(0)) == (None, 1)


def test_threads_that_wait_in_the_standard_way_are_woken() -> None:
    future: PoolFuture[int] = PoolFuture()
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(future.result(30))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert future.resolve(5)
    for thread in threads:
        thread.join(30)
    assert results == [5, 5, 5]


def test_an_error_is_raised_and_returned() -> None:
    future: JobFuture[int] = JobFuture()
    error = JobError("ValueError", "no", "")
    assert future.reject(error)
    assert future.exception() is error
    with pytest.raises(JobError):
        future.result()


def test_a_cancel_before_the_result_wins_and_the_pool_is_told_once() -> None:
    future: JobFuture[int] = JobFuture()
    record, controller = object(), FakeController()
    future.bind(record, controller)  # type: ignore[arg-type]
    assert future.cancel()
    assert (future.resolve(1), future.cancelled(), controller.cancelled) == (False, True, [record])
    with pytest.raises(JobCancelledError):
        future.result()
    with pytest.raises(CancelledError):
        future.exception()


def test_a_cancel_after_the_result_is_refused() -> None:
    future: JobFuture[int] = JobFuture()
    controller = FakeController()
    future.bind(object(), controller)  # type: ignore[arg-type]
    assert future.resolve(1)
    assert (future.cancel(), controller.cancelled, future.result()) == (False, [], 1)


def test_a_second_result_is_refused_and_the_first_stays() -> None:
    future: JobFuture[int] = JobFuture()
    assert future.resolve(1)
    assert not future.resolve(2)
    assert not future.reject(JobError("ValueError", "late", ""))
    assert future.result() == 1


def test_of_a_cancel_and_a_result_that_race_exactly_one_wins() -> None:
    for _ in range(300):
        future: JobFuture[int] = JobFuture()
        gate = threading.Barrier(2)
        won: list[bool] = []

        def cancel(future: JobFuture[int] = future, gate: Any = gate, won: list[bool] = won) -> None:
            gate.wait()
            won.append(future.cancel())

        thread = threading.Thread(target=cancel)
        thread.start()
        gate.wait()
        resolved = future.resolve(1)
        thread.join()
        assert [resolved] != won


def test_two_threads_may_make_a_future_a_standard_one_at_the_same_time() -> None:
    """One misses an attribute, the other makes them all, then the first comes to make them."""
    future: PoolFuture[int] = PoolFuture()
    made = future._condition
    assert future.__getattr__("_condition") is made
    with pytest.raises(AttributeError, match="nothing_like_it"):
        future.__getattr__("nothing_like_it")

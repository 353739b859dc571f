"""Nothing of Python runs while a future's lock is taken or let go of, so no signal handler can come between."""

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from orchestrator.pool.futures import JobFuture, PoolFuture
from orchestrator.process.uninterrupted import UninterruptedCondition

DEADLINE_S = 60.0


def python_functions_in(call: Callable[[], object]) -> list[str]:
    """Return the names of all functions written in Python that a call runs, itself too."""
    names: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            names.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return names


def enter_and_leave(condition: threading.Condition) -> None:
    with condition:
        pass


def test_entering_and_leaving_is_one_step_each() -> None:
    assert python_functions_in(lambda: enter_and_leave(UninterruptedCondition())).count("__enter__") == 0
    condition = UninterruptedCondition()
    assert python_functions_in(lambda: enter_and_leave(condition)) == ["<lambda>", "enter_and_leave"]
    assert "__enter__" in python_functions_in(lambda: enter_and_leave(threading.Condition())), "the usual one"


def test_it_is_a_condition_for_those_who_wait() -> None:
    condition, waits, woken = UninterruptedCondition(), threading.Event(), threading.Event()

    def wait() -> None:
        with condition:
            waits.set()
            if condition.wait(DEADLINE_S):
                woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert waits.wait(DEADLINE_S)
    with condition:  # free only while the other one waits
        condition.notify_all()
    thread.join(DEADLINE_S)
    assert woken.is_set()


def test_what_is_raised_inside_leaves_it_free() -> None:
    condition = UninterruptedCondition()
    with pytest.raises(KeyboardInterrupt), condition:
        raise KeyboardInterrupt
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(condition.acquire(False)))
    thread.start()
    thread.join(DEADLINE_S)
    assert taken == [True]


@pytest.mark.parametrize("kind", [PoolFuture, JobFuture])
def test_the_futures_of_a_pool_have_such_a_lock(kind: type[PoolFuture[int]]) -> None:
    future = kind()
    future.add_done_callback(lambda _: None)  # from now on a standard one
    ran = [*python_functions_in(future.done), *python_functions_in(future.cancel)]
    assert future.cancelled()
    assert not {"__enter__", "__exit__"} & set(ran)


def test_a_result_that_came_early_is_kept_when_the_future_becomes_a_standard_one() -> None:
    future: PoolFuture[int] = PoolFuture()
    assert future.resolve(3)
    heard: list[int] = []
    future.add_done_callback(lambda done: heard.append(done.result()))
    assert heard == [3]
    assert future.result(0) == 3

"""The bound on waiting jobs, and what a caller is told who finds no place: the facts of its own case."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.errors import PoolClosedError, QueueFullError
from orchestrator.pool.runtime.admission import Admission


@pytest.fixture
def full() -> Admission:
    admission = Admission(2, 1)
    admission.enter(array=True, block=False, timeout_s=None)
    admission.enter(array=False, block=False, timeout_s=None)
    return admission


def refused(
    admission: Admission, *, array: bool = False, block: bool, timeout_s: float | None = None, **more: bool
) -> QueueFullError:
    with pytest.raises(QueueFullError) as told:
        admission.enter(array=array, block=block, timeout_s=timeout_s, **more)
    return told.value


def test_who_would_not_wait_may_wait(full: Admission) -> None:
    error = refused(full, block=False)
    assert (error.max_queue, error.waited_s) == (2, None)
    assert str(error) == (
        "2 jobs wait, and that is all this pool takes; submit with block=True to wait for a place, or raise max_queue"
    )


def test_who_has_waited_is_not_told_to_wait(full: Admission) -> None:
    error = refused(full, block=True, timeout_s=0.01)
    assert error.waited_s == 0.01
    assert "none of them made room within 0.01 s" in str(error)
    assert "queue_timeout_s" in str(error)
    assert "block=True" not in str(error)


def test_a_coroutine_that_has_waited_is_told_the_same(full: Admission) -> None:
    with pytest.raises(QueueFullError, match=r"within 0\.01 s.*queue_timeout_s") as told:
        asyncio.run(full.enter_async(array=False, timeout_s=0.01))
    assert "block=True" not in str(told.value)


@pytest.mark.parametrize("block", [True, False])
def test_the_bound_on_audio_is_not_raised_by_max_queue(full: Admission, block: bool) -> None:
    error = refused(full, array=True, block=block, timeout_s=0.01)
    assert error.max_queue == 1
    assert "1 jobs hold audio or large values in memory" in str(error)
    assert "paths of files" in str(error)
    assert "max_queue" not in str(error)


def test_a_callback_of_the_pool_is_told_that_it_cannot_wait(full: Admission) -> None:
    error = refused(full, block=True, on_loop=True)
    assert "submit from another thread" in str(error)
    assert "block=True" not in str(error)
    assert "block=True" in str(refused(full, block=False, on_loop=True)), "it did not ask to wait"


def test_who_is_refused_leaves_every_place_as_it_was(full: Admission) -> None:
    full.arrays.leave()
    refused(full, array=True, block=False)
    assert (full.arrays.taken, full.queue.taken) == (0, 2)
    full.queue.leave()
    full.enter(array=True, block=False, timeout_s=None)
    assert (full.arrays.taken, full.queue.taken) == (1, 2)


def test_a_closed_pool_is_closed_and_not_full(full: Admission) -> None:
    full.close()
    with pytest.raises(PoolClosedError):
        full.enter(array=False, block=False, timeout_s=None)


def test_who_waits_for_a_place_in_a_pool_that_breaks_hears_why(full: Admission) -> None:
    broke = PoolClosedError("the pool broke: KeyError: 1")
    broke.__cause__ = KeyError(1)

    def wait() -> None:
        full.enter(array=False, block=True, timeout_s=60.0)

    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(wait)
        while not (full.queue._waiters or waiting.done()):
            time.sleep(0.001)
        full.close(broke)
        error = waiting.exception(60.0)
    assert isinstance(error, PoolClosedError)
    assert isinstance(error.__cause__, KeyError)

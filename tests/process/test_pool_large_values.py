"""Values that no frame can hold: by shared memory, both ways, up to a bound, from workers that may be hostile."""

import asyncio
import operator
import os
import resource
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.errors import JobError, WorkerDiedError
from orchestrator.pool.async_pool import AsyncPool
from orchestrator.pool.executor import PoolExecutor
from orchestrator.pool.jobs import Call
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator_worker.framing import DEFAULT_CAP
from orchestrator_worker.sandbox.kernel import why_not
from orchestrator_worker.sharing.shared_memory import AVAILABLE

pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(not AVAILABLE, reason="this system has no sealed memory"),
]
DEADLINE_S = 120.0
HOSTILE = "hostile_functions:"
ANSWER = "hostile_results:answer"
LARGE = DEFAULT_CAP + 1


def memory_files() -> int:
    """Return how many descriptors of this process are values in shared memory, not the ring of readings."""
    found = 0
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue
        found += "memfd:" in name and "orchestrator-samples" not in name
    return found


@pytest.fixture(autouse=True)
def _no_memory_is_left() -> Any:
    assert memory_files() == 0
    yield
    assert memory_files() == 0


def test_large_values_travel_both_ways() -> None:
    array = np.arange(LARGE // 4, dtype="<f4").reshape(-1, 1)
    with Pool() as pool:
        sent: Any
        for sent in (b"x" * LARGE, "t" * LARGE, [b"y" * (LARGE // 8)] * 9):
            assert pool.run(Call("copy:copy", sent)) == sent
            assert memory_files() == 0
        back = pool.run(Call("copy:copy", {"deep": [array, 1, "text"]}))
        assert back["deep"][1:] == [1, "text"]
        assert back["deep"][0].dtype == array.dtype
        assert np.array_equal(back["deep"][0], array)
        back["deep"][0][0] = 1  # it is the caller's own
        assert pool.run(Call("operator:mul", b"r", LARGE)) == b"r" * LARGE
        assert pool.stats().spawns == 1


def test_arguments_are_large_by_name_and_within_lists() -> None:
    with Pool() as pool:
        assert pool.run(Call("pool_functions:add", b"l" * LARGE, right=b"r"))[-2:] == b"lr"
        assert pool.run(Call("pool_functions:add", left=b"l", right=b"r" * LARGE))[:2] == b"lr"
        assert pool.run(Call("builtins:len", [[b"x" * (LARGE // 2)], ["y" * (LARGE // 2 + 1)]])) == 2


def test_every_door_takes_them() -> None:
    value = b"v" * LARGE

    async def by_coroutine() -> int:
        async with AsyncPool() as pool:
            return len(await pool.run(Call("copy:copy", value)))

    assert asyncio.run(by_coroutine()) == LARGE
    with PoolExecutor(1) as executor:
        assert executor.submit(operator.concat, value, b"!").result(DEADLINE_S)[-1:] == b"!"
        assert list(executor.map(len, [value, b"1"])) == [LARGE, 1]
    with Pool() as pool:
        assert [len(each) for each in pool.map(Call("copy:copy", each) for each in (b"", value))] == [
            0,
            LARGE,
        ]


def test_above_the_bound_both_ways_say_so() -> None:
    with Pool(max_value="80MiB") as pool:
        with pytest.raises(ValueError, match=r"argument 2 \(bytes\) is too large.*max_value is 80 MiB"):
            pool.submit(Call("pool_functions:add", b"1", b"x" * (81 << 20)))
        with pytest.raises(ValueError, match=r"argument 'right' \(list\) is too large"):
            pool.submit(Call("pool_functions:add", b"1", right=[b"x" * (41 << 20)] * 2))
        with pytest.raises(JobError, match=r"ResultTooLarge.*83,886,080.*max_value"):
            pool.run(Call("operator:mul", b"x", 81 << 20))
        assert len(pool.run(Call("operator:mul", b"x", 79 << 20))) == 79 << 20
        assert pool.stats().spawns == 1


@pytest.mark.parametrize(
    ("bound", "why"), [("8 apples", "is no size"), ("5GiB", "at most"), (0, "at least 1")]
)
def test_a_bound_that_makes_no_sense_is_refused(bound: Any, why: str) -> None:
    with pytest.raises(ValueError, match=f"max_value=.*{why}"):
        Pool(max_value=bound)


def test_confined_workers_take_and_give_them() -> None:
    if reason := why_not("strict"):
        pytest.skip(reason)
    with Pool(models=[Model(name="function", engine="function", sandbox="strict")]) as pool:
        assert pool.run(Call("copy:copy", b"x" * LARGE)) == b"x" * LARGE


def test_a_job_whose_worker_died_has_its_arguments_again(tmp_path: Path) -> None:
    with Pool(max_attempts=2) as pool:
        job = Call(HOSTILE + "take_and_die_once", b"x" * LARGE, str(tmp_path / "died"))
        assert pool.run(job) == LARGE
        assert pool.stats().exits == {"killed": 1}


def test_what_is_cancelled_or_dropped_leaves_no_memory(tmp_path: Path) -> None:
    with Pool() as pool:
        running = pool.submit(Call("pool_functions:wait_for", str(tmp_path / "go")))
        waiting = [pool.submit(Call("builtins:len", b"x" * LARGE)) for _ in range(3)]
        assert memory_files() == 3
        assert waiting[0].cancel()
        assert memory_files() in {2, 3}, "the pool hears of it in a moment"
        (tmp_path / "go").touch()
        assert running.result(DEADLINE_S)
        assert [future.result(DEADLINE_S) for future in waiting[1:]] == [LARGE, LARGE]
        while memory_files():
            time.sleep(0.002)
    with Pool() as pool:
        unread = [pool.submit(Call("operator:mul", b"x", LARGE)) for _ in range(2)]
        queued = pool.submit(Call("builtins:len", b"x" * LARGE))
        while not all(future.done() for future in unread):
            time.sleep(0.002)
        pool.stop()
        assert queued.done()
        assert memory_files() == 2, "results that nobody has read"
        del unread


def test_a_result_that_comes_too_late_leaves_no_memory(tmp_path: Path) -> None:
    """Its caller has cancelled, and the worker goes on to its end: the answer is nobody's."""
    with Pool() as pool:
        future = pool.submit(Call("pool_functions:wait_and_repeat", str(tmp_path / "go"), LARGE))
        while not (tmp_path / "go.begun").exists():
            time.sleep(0.002)
        assert future.cancel()
        (tmp_path / "go").touch()
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert memory_files() == 0


def test_all_who_ask_get_the_same_value() -> None:
    with Pool() as pool:
        future = pool.submit(Call("operator:mul", b"x", LARGE))
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.append(future.result(DEADLINE_S))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 4
    assert all(each is found[0] for each in found)
    assert future.exception() is None


def test_a_forked_child_passes_nothing() -> None:
    with Pool() as pool:
        assert pool.run(Call(HOSTILE + "share_in_a_native_fork", LARGE)) == b"p" * LARGE
        assert pool.run(Call("operator:mul", b"x", LARGE)) == b"x" * LARGE
        assert pool.stats().spawns == 1


# ------------------------------------------------------------------ hostile workers


def test_shared_memory_that_is_as_announced_is_taken(tmp_path: Path) -> None:
    with Pool() as pool:
        assert pool.submit(Call(ANSWER, "honest", str(tmp_path))).result(DEADLINE_S) == "five"


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("nothing", "no descriptor came"),
        ("no descriptor", "0 descriptors came instead of one"),
        ("two", "2 descriptors came instead of one"),
        ("twenty", "descriptors came instead of one"),
        ("another job's", "another job's came"),
        ("unsealed", "no sealed memory"),
        ("half sealed", "no sealed memory"),
        ("a file", "no sealed memory"),
        ("a fifo", "no sealed memory"),
        ("a socket", "no sealed memory"),
        ("longer", "5 B were announced as a result, 9 B came"),
        ("too large", "1024 GiB came, and 2 GiB are the bound"),
        ("a transcript", "a transcript result in shared memory"),
        ("one in the frame", "one in the frame beside it"),
    ],
)
def test_anything_else_is_a_broken_protocol(how: str, why: str, tmp_path: Path) -> None:
    with Pool(workers=2) as pool:
        others = [pool.submit(Call("operator:add", number, 1)) for number in range(20)]
        with pytest.raises(WorkerDiedError, match=why):
            pool.run(Call(ANSWER, how, str(tmp_path)))
        assert [other.result(DEADLINE_S) for other in others] == list(range(1, 21))
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert pool.stats().exits == {"protocol": 1}


def test_without_a_descriptor_for_the_result_the_job_alone_fails(tmp_path: Path) -> None:
    with Pool() as pool:
        pool.run(Call("operator:add", 1, 1))
        future = pool.submit(Call("pool_functions:wait_and_repeat", str(tmp_path / "go"), LARGE))
        while not (tmp_path / "go.begun").exists():
            time.sleep(0.002)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free(), hard))
        try:
            os.link(tmp_path / "go.begun", tmp_path / "go")  # needs no descriptor
            error = future.exception(DEADLINE_S)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert isinstance(error, JobError)
        assert "no descriptor left" in str(error)
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert pool.stats().spawns == 1


def lowest_free() -> int:
    """Return the number that the next descriptor would have."""
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor

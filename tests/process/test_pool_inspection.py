"""A pool that was made with ``inspect=True`` can be looked into while it lives, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import AsyncPool, Call, Pool, PoolExecutor
from orchestrator.errors import ResultsError
from orchestrator.inspection import find_running, look
from short_paths import new_short_folder


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(threading.enumerate())
    with new_short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder
        assert find_running() == []
        assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "inspection"]


def test_a_pool_shows_its_slots_and_jobs() -> None:
    with Pool(workers=2, inspect=True) as pool:
        assert pool.run(Call("math:factorial", 5)) == 120
        (found,) = find_running()
        seen = look(found)
        assert (seen.pid, seen.title) == (os.getpid(), "Pool")
        assert len(seen.slots) == 2
        assert seen.outcomes == {"call": {"result": 1}}


def test_without_inspect_nobody_looks_in() -> None:
    with Pool():
        assert find_running() == []


def test_descriptors_and_sockets_go_with_the_pool(runtime: Path) -> None:
    with Pool(inspect=True):
        pass
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Pool(inspect=True) as pool:
            pool.run(Call("math:sqrt", 4))
    assert len(os.listdir("/proc/self/fd")) == before
    assert list((runtime / "orchestrator").iterdir()) == []


@pytest.mark.filterwarnings("ignore:a pool was never closed:ResourceWarning")
def test_a_pool_that_nobody_has_any_more_goes_though_it_could_be_looked_into() -> None:
    pool = Pool(inspect=True)
    pool.run(Call("math:sqrt", 4))
    del pool
    gc.collect()
    assert find_running() == []


def test_an_asynchronous_pool_shows_itself() -> None:
    async def use() -> None:
        async with AsyncPool(inspect=True) as pool:
            await pool.run(Call("math:sqrt", 4))
            (found,) = await asyncio.to_thread(find_running)
            assert (await asyncio.to_thread(look, found)).outcomes == {"call": {"result": 1}}

    asyncio.run(use())


@pytest.mark.parametrize("wait", [True, False])
def test_an_executor_shows_itself(wait: bool) -> None:
    executor = PoolExecutor(inspect=True)
    assert executor.submit(math.sqrt, 4).result() == 2
    assert len(find_running()) == 1
    executor.shutdown(wait=wait)
    assert find_running() == []


def test_without_a_safe_place_there_is_no_pool(runtime: Path) -> None:
    (runtime / "orchestrator").mkdir(mode=0o755)
    before = set(threading.enumerate())
    with pytest.raises(ResultsError, match="yours alone"):
        Pool(inspect=True)
    (runtime / "orchestrator").chmod(0o700)
    begun = set(threading.enumerate()) - before
    assert not [thread for thread in begun if thread.name == "orchestrator-pool"]

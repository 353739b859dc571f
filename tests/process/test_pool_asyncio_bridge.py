"""Coroutines: the event loop takes the replies itself; where it cannot, or does not come, the pool's thread does."""

import asyncio
import gc
import os
import threading
import time
import weakref
from math import inf

import pytest

from orchestrator.errors import WorkerDiedError
from orchestrator.pool.async_pool import AsyncPool
from orchestrator.pool.jobs import Call
from orchestrator.pool.options import Settings
from orchestrator.pool.recycling import Recycle

pytestmark = pytest.mark.usefixtures("nothing_left")
DEADLINE_S = 60.0


def test_the_event_loop_takes_the_replies_and_the_thread_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is not sampled, so the thread has no rounds, in which it would take what a busy machine left lying."""
    monkeypatch.setitem(Settings.__init__.__kwdefaults__, "sample_interval_s", inf)

    async def main() -> set[str]:
        takers: set[str] = set()
        async with AsyncPool() as pool:
            await pool.run(Call("operator:add", 0, 0))
            for number in range(50):
                future = await pool.submit(Call("operator:add", number, 1))
                future.add_done_callback(lambda _: takers.add(threading.current_thread().name))
                assert await future == number + 1
        return takers

    assert asyncio.run(main()) == {"MainThread"}


@pytest.mark.parametrize("workers", [1, 3])
def test_many_at_once_each_get_their_own(workers: int) -> None:
    async def main() -> list[int]:
        async with AsyncPool(workers=workers) as pool:
            return await asyncio.gather(*(pool.run(Call("operator:add", n, n)) for n in range(800)))

    assert asyncio.run(main()) == [2 * n for n in range(800)]


def test_a_blocked_event_loop_does_not_hold_the_pool_up() -> None:
    async def main() -> list[int]:
        async with AsyncPool() as pool:
            await pool.run(Call("operator:add", 0, 0))
            waiting = [await pool.submit(Call("time:sleep", 0.02)) for _ in range(5)]
            limit = time.monotonic() + DEADLINE_S
            done = 0
            while done < 5 and time.monotonic() < limit:  # blocks the event loop, and lets no callback run
                done = pool._controller.stats().outcomes.get("call", {}).get("result", 0) - 1
            await asyncio.gather(*waiting)
            return [done]

    assert asyncio.run(main()) == [5]


def test_one_pool_in_two_event_loops_one_after_the_other() -> None:
    pool = AsyncPool()

    async def ask(number: int) -> int:
        return await pool.run(Call("operator:add", number, 1))

    assert [asyncio.run(ask(number)) for number in range(3)] == [1, 2, 3]
    assert asyncio.run(pool.close())


def test_two_event_loops_in_two_threads_at_a_time() -> None:
    wrong: list[int] = []
    pool = AsyncPool(workers=2)

    async def ask(first: int) -> None:
        for number in range(first, first + 100):
            if await pool.run(Call("operator:add", number, 1)) != number + 1:
                wrong.append(number)

    threads = [threading.Thread(target=asyncio.run, args=(ask(first),)) for first in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
    assert asyncio.run(pool.close())


def test_a_pool_that_replaces_workers_leaves_the_replies_to_its_thread() -> None:
    async def main() -> list[int]:
        async with AsyncPool(recycle=Recycle(max_jobs=3)) as pool:
            return [await pool.run(Call("operator:add", n, n)) for n in range(10)]

    assert asyncio.run(main()) == [2 * n for n in range(10)]


def test_a_death_reaches_the_coroutine_that_waits() -> None:
    async def main() -> int:
        async with AsyncPool() as pool:
            with pytest.raises(WorkerDiedError):
                await pool.run(Call("os:abort"))
            return await pool.run(Call("operator:add", 1, 1))

    assert asyncio.run(main()) == 2


@pytest.mark.filterwarnings("ignore:a pool was never closed:ResourceWarning")
def test_an_abandoned_pool_ends_and_leaves_no_descriptor() -> None:
    async def main() -> None:
        pool = AsyncPool()
        await pool.run(Call("operator:add", 1, 1))
        controller = weakref.ref(pool._controller)
        thread = pool._controller._loop._thread
        del pool
        gc.collect()
        await asyncio.to_thread(thread.join, DEADLINE_S)
        assert not thread.is_alive()
        assert controller() is None

    asyncio.run(main())
    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) == before

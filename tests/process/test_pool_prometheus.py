"""A scrape of a real pool, through each of the three doors."""

import asyncio

import pool_functions
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from orchestrator import AsyncPool, Call, Pool, PoolExecutor
from orchestrator.pool.prometheus import PoolCollector

pytestmark = pytest.mark.usefixtures("nothing_left")
DONE = 'orchestrator_jobs_total{outcome="result",task="call"} 1.0'


def scraped(pool: Pool | AsyncPool | PoolExecutor) -> str:
    registry = CollectorRegistry()
    registry.register(PoolCollector(pool))
    return generate_latest(registry).decode()


def test_memory_jobs_and_exits_of_a_pool_at_work_and_closed() -> None:
    with Pool() as pool:
        pool.run(Call("pool_functions:add", 1, 2))
        text = scraped(pool)
        assert DONE in text
        resident = next(line for line in text.splitlines() if line.startswith("orchestrator_worker_resident"))
        assert resident.startswith('orchestrator_worker_resident_memory_bytes{slot="0"} ')
        assert float(resident.split()[-1]) > 1024 * 1024
    text = scraped(pool)
    assert 'orchestrator_worker_exits_total{model="function",reason="shutdown"} 1.0' in text
    assert 'orchestrator_worker_resident_memory_bytes{slot="0"} 0.0' in text


def test_a_coroutine_may_scrape() -> None:
    async def main() -> str:
        async with AsyncPool() as pool:
            await pool.run(Call("pool_functions:add", 1, 2))
            return scraped(pool)

    assert DONE in asyncio.run(main())


def test_an_executor_is_scraped_too() -> None:
    with PoolExecutor() as executor:
        executor.submit(pool_functions.add, 1, 2).result()
        assert DONE in scraped(executor)

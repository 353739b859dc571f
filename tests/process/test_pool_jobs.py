"""What every pool promises, kept by a pool of real workers on this machine: ``pool_contract`` has the tests.

Twice: with the fast path (callers run the loop, short jobs are prefetched, workers linger) and without it.
"""

import pytest
from pool_contract import NewPool, PoolContract

from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool
from orchestrator.pool.submission.checked_options import FAST_PATH_VARIABLE


@pytest.mark.usefixtures("nothing_left")
class TestPool(PoolContract):
    @pytest.fixture
    def new_pool(self, monkeypatch: pytest.MonkeyPatch) -> NewPool:
        monkeypatch.delenv(FAST_PATH_VARIABLE, raising=False)
        return Pool


@pytest.mark.usefixtures("nothing_left")
class TestPoolWithoutTheFastPath(PoolContract):
    @pytest.fixture
    def new_pool(self, monkeypatch: pytest.MonkeyPatch) -> NewPool:
        monkeypatch.setenv(FAST_PATH_VARIABLE, "0")
        return Pool

    def test_it_really_is_off(self, new_pool: NewPool) -> None:
        with new_pool() as pool:
            registry = pool._controller._supervisor.registry
            assert not registry.settings.fast_path
            assert pool._controller._loop._callers is None
            jobs = [pool.submit(Call("operator:add", number, 1)) for number in range(300)]
            assert [job.result() for job in jobs] == [*range(1, 301)]
            assert not registry.with_prefetched

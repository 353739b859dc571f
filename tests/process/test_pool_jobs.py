"""What every pool promises, kept by a pool of real workers on this machine: ``pool_contract`` has the tests."""

import pytest
from pool_contract import NewPool, PoolContract

from orchestrator.pool.pool import Pool


@pytest.mark.usefixtures("nothing_left")
class TestPool(PoolContract):
    @pytest.fixture
    def new_pool(self) -> NewPool:
        return Pool

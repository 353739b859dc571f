"""What of the host's environment reaches a job, in every way that a worker starts."""

from __future__ import annotations

import os

import pytest
from pool_functions import own_environment

from orchestrator.errors import JobError
from orchestrator.pool.executor import PoolExecutor
from orchestrator.pool.jobs import Call, EngineJob
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.process.dialogue import Dialogue

pytestmark = pytest.mark.usefixtures("nothing_left")
NAMES = ("TEST_PRIVATE_TOKEN", "TEST_PLAIN", "MALLOC_TEST_SETTING")
ASK = Call("pool_functions:own_environment", list(NAMES))


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "host")


def test_a_job_gets_what_is_listed_and_no_secret() -> None:
    assert own_environment(list(NAMES)).keys() == {*NAMES}
    with Pool() as pool:
        assert pool.run(ASK) == {"MALLOC_TEST_SETTING": "host"}


def test_a_worker_was_never_given_the_rest() -> None:
    """Not even in what the kernel keeps of its start."""
    with Dialogue(heap=False) as dialogue, open(f"/proc/{dialogue.worker.pid}/environ", "rb") as file:
        started_with = {each.partition(b"=")[0].decode() for each in file.read().split(b"\0")}
    assert not {"TEST_PRIVATE_TOKEN", "TEST_PLAIN"} & started_with
    assert "MALLOC_TEST_SETTING" in started_with


def test_a_pool_hands_on_what_it_is_told_and_a_model_for_itself() -> None:
    model = Model(name="m", engine="function", pass_env=["TEST_PRIVATE_*"])
    with Pool(models=[model], pass_env=["TEST_PLAIN"]) as pool:
        assert pool.run(ASK).keys() == {"TEST_PLAIN", "MALLOC_TEST_SETTING"}
        options = {"target": "pool_functions:own_environment", "args": [list(NAMES)]}
        assert pool.run(EngineJob("m", "call", options=options)).keys() == {*NAMES}


def test_an_executor_hands_on_all_that_it_is_told() -> None:
    with PoolExecutor(1, pass_env=["*"]) as executor:
        assert executor.submit(own_environment, list(NAMES)).result().keys() == {*NAMES}


def test_replacements_from_a_fork_server_get_the_same() -> None:
    with Pool(recycle=Recycle(max_jobs=1), pass_env=["TEST_PLAIN"]) as pool:
        parents: set[int] = set()
        while parents <= {os.getpid()}:  # until one comes from the fork server
            parents.add(pool.run(Call("os:getppid")))
            assert pool.run(ASK).keys() == {"TEST_PLAIN", "MALLOC_TEST_SETTING"}
        assert pool.run(ASK).keys() == {"TEST_PLAIN", "MALLOC_TEST_SETTING"}


def test_a_job_that_misses_a_variable_is_told_how_to_get_it() -> None:
    with Pool() as pool:
        with pytest.raises(
            JobError, match=r"KeyError.*TEST_PLAIN.*hand it on by pass_env of the pool or model"
        ):
            pool.run(Call("pool_functions:needed_variable", "TEST_PLAIN"))
        with pytest.raises(JobError) as told:
            pool.run(Call("operator:getitem", {}, "TEST_PLAIN"))
    assert "pass_env" not in str(told.value)

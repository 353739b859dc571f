"""A hard budget with real workers: what grows within a job is stopped, and no job is lost for it."""

from __future__ import annotations

import pytest

from orchestrator import EngineJob, Model, Pool
from orchestrator.errors import ModelOutOfUseError

pytestmark = pytest.mark.usefixtures("nothing_left")
JOB_MS = 200
"""Long enough that memory is read a few times in each job."""


def leaky(name: str, leak_kib: int, base_kib: int = 0) -> Model:
    options = {"leak_kib_per_job": leak_kib, "base_kib": base_kib, "job_ms": JOB_MS, "leak_source": "mmap"}
    return Model(name=name, engine="synthetic", options=options)


def test_a_worker_that_grows_past_the_budget_in_a_job_goes_and_every_job_has_its_result() -> None:
    with Pool(models=[leaky("leaky", 24_576)], memory_budget="140MiB", hard_budget=True) as pool:
        for number in range(1, 9):
            assert pool.run(EngineJob("leaky", "synthetic"))["text"]
            assert pool.stats().outcomes["synthetic"] == {"result": number}
        assert pool.stats().exits["hard-rss"] >= 1


def test_a_budget_smaller_than_the_model_is_refused_with_both_sizes() -> None:
    model = leaky("large", 0, base_kib=200_000)
    with (
        Pool(models=[model], memory_budget="100MiB", hard_budget=True) as pool,
        pytest.raises(ModelOutOfUseError, match=r"memory budget of 100 MiB: it was stopped at \d+"),
    ):
        pool.run(EngineJob("large", "synthetic"))


def test_two_models_take_turns_on_one_worker_without_being_unloaded() -> None:
    models = [leaky(name, 0) for name in ("asr", "aligner")]
    with Pool(models=models, workers=1, standby=1, memory_budget="400MiB") as pool:
        for name in ("asr", "aligner") * 3:
            pool.run(EngineJob(name, "synthetic"))
        stats = pool.stats()
    assert (stats.spawns, stats.evictions) == (2, 0)

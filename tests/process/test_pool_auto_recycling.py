"""recycle="auto" on real workers with known rates: the budget holds, and what does not grow is left alone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from pool_functions import synthetic

from orchestrator.pool.async_pool import AsyncPool
from orchestrator.pool.events import PoolEvent, WorkerDismissed, WorkerLeft, WorkerLoaded, WorkerStarted
from orchestrator.pool.executor import PoolExecutor
from orchestrator.pool.jobs import Call, EngineJob
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle

pytestmark = pytest.mark.usefixtures("nothing_left")
MIB = 1024 * 1024
SEEN_FROM_OUTSIDE_S = 0.05
"""A job's work: long enough for readings within it."""


def job(name: str = "model") -> EngineJob:
    return EngineJob(name, "synthetic")


def test_a_leak_never_breaks_the_budget_and_its_rate_is_learnt() -> None:
    model = synthetic(leak_kib_per_job=4096, leak_source="mmap")
    with Pool(models=[model], memory_budget="160MiB", recycle="auto") as pool:
        for _ in range(120):
            pool.run(job())
        growth = None
        while growth is None or growth.limit_bytes is None:  # the last job may have been its worker's last
            pool.run(job())
            stats = pool.stats()
            growth = stats.models[-1].growth
    assert stats.exits["rss"] >= 2
    assert set(stats.exits) == {"rss"}
    assert stats.slots[0].peak_bytes <= 160 * MIB
    assert growth.certain
    assert growth.rate == pytest.approx(4 * MIB, rel=0.05)
    assert growth.largest_rise_bytes >= 4 * MIB
    assert growth.limit_bytes is not None
    assert growth.limit_bytes <= 160 * MIB
    assert growth.lives >= 2


def test_two_workers_share_the_budget() -> None:
    model = synthetic(leak_kib_per_job=4096, leak_source="mmap", job_ms=5)
    peaks: dict[tuple[int, int], int] = {}

    def note(event: PoolEvent) -> None:
        if isinstance(event, WorkerLeft):
            peaks[event.slot, event.generation] = event.peak_bytes

    with Pool(models=[model], workers=2, memory_budget="320MiB", recycle="auto", on_event=note) as pool:
        list(pool.map(job() for _ in range(200)))
    assert len(peaks) > 4
    assert max(peaks.values()) <= 160 * MIB


@pytest.mark.parametrize(
    ("options", "budget"),
    [
        ({}, "160MiB"),
        ({"noise_kib": 4096, "base_kib": 61_440}, "66MiB"),  # which it passes, but not by growing
        ({"pool_kib": 40_960, "pool_fill_jobs": 8, "leak_source": "mmap"}, "160MiB"),
        ({"noise_kib": 8192, "cache_kib": 16_384}, "160MiB"),
    ],
    ids=["flat", "flat above its share", "pool", "cache and noise"],
)
def test_what_does_not_grow_for_ever_is_left_alone(options: dict[str, object], budget: str) -> None:
    with Pool(models=[synthetic(**options)], memory_budget=budget, recycle="auto") as pool:
        for _ in range(80):
            pool.run(job())
        assert pool.stats().exits == {}


@pytest.mark.parametrize("budget", ["96MiB", "128MiB", "200MiB"])
def test_a_cache_that_fits_its_budget_fills_and_is_kept(budget: str) -> None:
    """60 MiB, a start of a hundred jobs' time: extrapolated over that, its growth would pass any of the budgets."""
    model = synthetic(cache_kib=61_440, cache_entries_kib=1024, load_ms=100)
    with Pool(models=[model], memory_budget=budget, recycle="auto") as pool:
        for _ in range(140):
            pool.run(job())
        stats = pool.stats()
    assert stats.exits == {}
    assert stats.slots[0].peak_bytes > 70 * MIB, "it is full"


def test_tiny_jobs_are_sent_ahead_and_their_leak_still_never_breaks_the_budget() -> None:
    model = synthetic(leak_kib_per_job=64, leak_source="mmap")
    with Pool(models=[model], memory_budget="96MiB", recycle="auto") as pool:
        assert sum(1 for _ in pool.map(job() for _ in range(3000))) == 3000
        stats = pool.stats()
    assert stats.exits["rss"] >= 1
    assert stats.slots[0].peak_bytes <= 96 * MIB


def test_a_staircase_leaves_before_its_next_step_would_break_the_budget() -> None:
    model = synthetic(leak_kib_per_job=2048, leak_shape="chunks", chunk_kib=16_384, leak_source="mmap")
    with Pool(models=[model], memory_budget="160MiB", recycle="auto") as pool:
        for _ in range(150):
            pool.run(job())
        stats = pool.stats()
    assert stats.exits["rss"] >= 1
    assert stats.slots[0].peak_bytes <= 160 * MIB


def generations(events: list[PoolEvent], kind: type[WorkerStarted | WorkerLoaded]) -> set[int]:
    return {event.generation for event in list(events) if isinstance(event, kind)}


def test_the_successor_is_loaded_before_the_worker_leaves() -> None:
    events: list[PoolEvent] = []
    model = synthetic(leak_kib_per_job=4096, leak_source="mmap", job_ms=1000 * SEEN_FROM_OUTSIDE_S)
    with Pool(models=[model], memory_budget="400MiB", recycle="auto", on_event=events.append) as pool:
        while not any(isinstance(event, WorkerDismissed) for event in events):
            pool.run(job())
            while 2 in generations(events, WorkerStarted) - generations(events, WorkerLoaded):
                time.sleep(0.005)  # on a busy machine a start takes longer than it has taken before
    loaded = next(e for e in events if isinstance(e, WorkerLoaded) and e.generation == 2)
    dismissed = next(e for e in events if isinstance(e, WorkerDismissed) and e.generation == 1)
    assert loaded.at_s <= dismissed.at_s
    assert dismissed.reason == "rss"


def test_limits_of_single_models_stand_beside_it() -> None:
    models = [
        synthetic("leaky", leak_kib_per_job=8192, leak_source="mmap"),
        synthetic("counted"),
        synthetic("left"),
    ]
    recycle = Recycle(auto=True, models={"counted": Recycle(max_jobs=2, jitter=0), "left": Recycle()})
    with Pool(models=models, workers=3, memory_budget="480MiB", recycle=recycle) as pool:
        for _ in range(40):
            for name in ("leaky", "counted", "left"):
                pool.run(job(name))
        stats = pool.stats()
    exits = {model.model: model.exits for model in stats.models}
    assert set(exits["leaky"]) == {"rss"}
    assert exits["counted"] == {"jobs": 20} or exits["counted"] == {"jobs": 19}
    assert exits["left"] == {}
    assert [model.growth is None for model in stats.models] == [False, False, True, True]


def test_the_other_doors() -> None:
    async def asynchronous() -> set[int]:
        async with AsyncPool(recycle="auto", memory_budget="160MiB") as pool:
            for _ in range(30):
                await pool.run(Call("pool_functions:keep", 8))
            return {(await pool.stats()).slots[0].generation}

    with PoolExecutor(recycle="auto", memory_budget="160MiB") as executor:
        from pool_functions import keep

        pids = {executor.submit(keep, 8).result() for _ in range(30)}
        assert executor.stats().slots[0].peak_bytes <= 160 * MIB
    assert len(pids) > 1
    assert asyncio.run(asynchronous()).pop() > 1


FILE = """
schema = 1
[profiles.mine.models.leaky]
engine = "synthetic"
options = { leak_kib_per_job = 8192, leak_source = "mmap" }
[profiles.mine.models.counted]
engine = "synthetic"
[recycle]
auto = true
[recycle.models.counted]
max_jobs = 1
"""


def test_the_file_says_it_too(tmp_path: Path) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(FILE)
    with Pool(file, profile="mine", workers=2, memory_budget="320MiB") as pool:
        for _ in range(30):
            pool.run(job("leaky"))
            pool.run(job("counted"))
        exits = {model.model: model.exits for model in pool.stats().models}
    assert set(exits["leaky"]) == {"rss"}
    assert exits["counted"]["jobs"] >= 29


def test_limits_for_models_that_are_all_unknown_are_refused() -> None:
    with pytest.raises(ValueError, match=r"modle.*none of them.*model"):
        Pool(models=[synthetic()], recycle=Recycle(models={"modle": Recycle(max_jobs=1)}))
    with pytest.raises(TypeError, match="auto"):
        Pool(recycle="automatic")  # type: ignore[arg-type]

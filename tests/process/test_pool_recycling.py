"""Replacing workers: by each reason, hot where the budget allows, one after the other where it does not."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pool_functions import synthetic

from orchestrator.errors import JobError, ModelOutOfUseError, WorkerDiedError
from orchestrator.pool.events import PoolEvent, WorkerDismissed, WorkerLeft, WorkerLoaded, WorkerStarted
from orchestrator.pool.jobs import Call, EngineJob
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stats import PoolStats

pytestmark = pytest.mark.usefixtures("nothing_left")
MIB = 1024 * 1024


def until(pool: Pool, holds: Callable[[PoolStats], bool]) -> PoolStats:
    """Wait for what must come; pytest's timeout ends a wait for what does not."""
    while not holds(stats := pool.stats()):
        time.sleep(0.005)
    return stats


def test_a_fresh_process_for_every_job() -> None:
    with Pool(workers=2, recycle=Recycle(max_jobs=1)) as pool:
        pids = list(pool.map(Call("pool_functions:pid") for _ in range(12)))
    assert len(set(pids)) == 12
    assert pool.stats().exits["jobs"] == 12


def test_never_a_job_more_than_said_and_jitter_only_lowers() -> None:
    with Pool(recycle=Recycle(max_jobs=10, jitter=0.5)) as pool:
        pids = list(pool.map(Call("pool_functions:pid") for _ in range(60)))
    counts = [pids.count(pid) for pid in dict.fromkeys(pids)]
    assert all(5 <= count <= 10 for count in counts[:-1])
    assert len(set(counts)) > 1, "limits differ between workers"


def test_rss_seen_from_outside() -> None:
    with Pool(recycle=Recycle(max_rss="150MiB", jitter=0)) as pool:
        first = pool.run(Call("pool_functions:keep", 1))
        assert pool.run(Call("pool_functions:keep", 200)) == first
        until(pool, lambda stats: stats.exits == {"rss": 1})
        assert pool.run(Call("pool_functions:pid")) != first
        slot = pool.stats().slots[0]
    assert slot.peak_bytes > 200 * MIB
    assert slot.generation >= 2


def test_age_replaces_an_idle_worker() -> None:
    with Pool(recycle=Recycle(max_age_s=0.3, jitter=0)) as pool:
        first = pool.run(Call("pool_functions:pid"))
        stats = until(pool, lambda stats: stats.exits.get("age", 0) >= 1)
        assert pool.run(Call("pool_functions:pid")) != first
    assert set(stats.exits) == {"age"}


def test_idleness_gives_memory_back_and_work_brings_it_again() -> None:
    with Pool(recycle=Recycle(max_idle_s=0.1)) as pool:
        assert pool.run(Call("pool_functions:add", 1, 1)) == 2
        stats = until(pool, lambda stats: stats.exits == {"idle": 1})
        assert stats.slots[0].state == "free"
        assert stats.reserved_bytes == 0
        assert pool.run(Call("pool_functions:add", 1, 1)) == 2


def test_a_trim_now_and_then_keeps_the_worker() -> None:
    with Pool(recycle=Recycle(trim_every=2)) as pool:
        pids = set(pool.map(Call("pool_functions:pid") for _ in range(9)))
        assert len(pids) == 1
        assert pool.stats().exits == {}


def test_the_next_generation_is_loaded_while_the_old_one_works(tmp_path: Path) -> None:
    """The last job of the old one does not end before the new one is loaded."""
    events: list[PoolEvent] = []

    def hook(event: PoolEvent) -> None:
        events.append(event)
        if isinstance(event, WorkerLoaded) and event.generation == 2:
            (tmp_path / "go").touch()

    with Pool(recycle=Recycle(max_jobs=2, jitter=0), on_event=hook) as pool:
        first = pool.run(Call("pool_functions:pid"))
        pool.run(Call("pool_functions:wait_for", str(tmp_path / "go")))
        assert pool.run(Call("pool_functions:pid")) != first
    order = [type(event).__name__ for event in events if getattr(event, "generation", 0) in {1, 2}]
    assert order.index("WorkerDismissed") > len(order) - 1 - order[::-1].index("WorkerLoaded")


def test_without_room_for_both_one_comes_after_the_other() -> None:
    events: list[PoolEvent] = []
    with Pool(
        models=[synthetic(base_kib=60 * 1024)],
        recycle=Recycle(max_jobs=2, jitter=0),
        memory_budget="128MiB",
        on_event=events.append,
    ) as pool:
        list(pool.map(EngineJob("model", "synthetic") for _ in range(6)))
        stats = pool.stats()
    gone = {event.generation: at for at, event in enumerate(events) if isinstance(event, WorkerLeft)}
    started = {event.generation: at for at, event in enumerate(events) if isinstance(event, WorkerStarted)}
    assert all(gone[generation - 1] < started[generation] for generation in started if generation > 1)
    assert stats.exits["jobs"] >= 2
    assert stats.reserved_bytes <= stats.budget_bytes


def test_models_share_slots_and_the_longest_unused_is_evicted() -> None:
    events: list[PoolEvent] = []
    models = [synthetic(name) for name in ("one", "two", "three")]
    with Pool(models=models, workers=2, on_event=events.append) as pool:
        for name in ("one", "two", "one", "three", "one"):
            pool.run(EngineJob(name, "synthetic"))
        assert pool.stats().evictions == 1
        assert pool.stats().spawns == 3, "a worker that holds the model is used again"
    evicted = [
        event.model for event in events if isinstance(event, WorkerDismissed) and event.reason == "evicted"
    ]
    assert evicted == ["two"]


def test_a_budget_for_one_evicts_although_slots_are_free() -> None:
    models = [synthetic(name, base_kib=60 * 1024) for name in ("one", "two")]
    with Pool(models=models, workers=2, memory_budget="120MiB") as pool:
        for name in ("one", "two", "one", "two"):
            pool.run(EngineJob(name, "synthetic"))
            stats = pool.stats()
            assert stats.reserved_bytes <= stats.budget_bytes
        until(pool, lambda stats: stats.exits == {"evicted": 3})


def test_exclusive_keeps_one_model_loaded() -> None:
    events: list[PoolEvent] = []
    models = [synthetic(name) for name in ("asr", "aligner")]
    with Pool(models=models, workers=2, exclusive=True, on_event=events.append) as pool:
        for name in ("asr", "aligner") * 3:
            pool.run(EngineJob(name, "synthetic"))
    alive: dict[tuple[int, int], str] = {}
    for event in events:
        if isinstance(event, WorkerStarted):
            alive[event.slot, event.generation] = event.model
            assert len(set(alive.values())) == 1
        elif isinstance(event, WorkerLeft):
            del alive[event.slot, event.generation]


def test_a_model_larger_than_the_budget_is_refused_with_both_numbers(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    with file.open("wb") as out:
        out.truncate(300 * MIB)
    model = type(synthetic())(name="big", engine="synthetic", file=file)
    refused = pytest.raises(ModelOutOfUseError, match=r"332 MiB.*256 MiB")
    with Pool(models=[model], memory_budget="256MiB") as pool, refused:
        pool.run(EngineJob("big", "synthetic"))


def test_memory_is_seen_while_jobs_run(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def seen(stats: PoolStats) -> bool:
        return any(sample.rss_bytes > 100 * MIB and sample.job for sample in stats.slots[0].series)

    with Pool() as pool:
        future = pool.submit(Call("pool_functions:hold", 100, str(gate)))
        stats = until(pool, seen)
        assert not future.done()
        gate.touch()
        assert future.result() == 100 * MIB
    assert stats.slots[0].peak_bytes > 100 * MIB


def test_jobs_that_raise_count_too() -> None:
    with Pool(recycle=Recycle(max_jobs=2, jitter=0)) as pool:
        for _ in range(4):
            with pytest.raises(JobError):
                pool.run(Call("operator:truediv", 1, 0))
        until(pool, lambda stats: stats.exits == {"jobs": 2})


def test_the_kernel_holds_hard_rss_where_a_control_group_is_delegated() -> None:
    with Pool(recycle=Recycle(hard_rss="150MiB")) as pool:
        assert pool.run(Call("operator:add", 1, 1)) == 2
        state = pool.stats().cgroup
        if state != "own":
            assert state.startswith("none: ")
            pytest.skip(f"no control group of our own here: {state}")
        with pytest.raises(WorkerDiedError, match="hard-rss"):
            pool.run(Call("operator:mul", b"x", 400 * MIB))
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert pool.stats().exits == {"hard-rss": 1}

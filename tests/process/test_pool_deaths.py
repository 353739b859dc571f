"""Workers that die under a pool: each death touches its own job, is counted by its reason, and is survived."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import tenacity
from pool_functions import synthetic

from orchestrator.errors import (
    EngineUnavailableError,
    JobPoisonedError,
    ModelOutOfUseError,
    WorkerDiedError,
)
from orchestrator.pool.core.entities import Worker
from orchestrator.pool.events import PoolEvent, WorkerLeft
from orchestrator.pool.jobs import Call, EngineJob
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator.pool.runtime.process_link import ProcessLink
from orchestrator.process.worker_process import WorkerProcess

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize(
    ("fault", "cause", "reason"),
    [
        ("segfault", "SIGSEGV", "crash"),
        ("abort", "SIGABRT", "crash"),
        ("exit", "exit code 3", "crash"),
        ("kill", "SIGKILL", "killed"),
        ("garbage", "protocol", "protocol"),
        ("garbage_frame", "protocol", "protocol"),
        ("oversized_frame", "protocol", "protocol"),
    ],
)
def test_a_death_touches_its_own_job_only(fault: str, cause: str, reason: str) -> None:
    with Pool(models=[synthetic()], workers=2) as pool:
        good = [pool.submit(EngineJob("model", "synthetic")) for _ in range(20)]
        bad = pool.submit(EngineJob("model", "synthetic", options={"fault": fault}))
        good += [pool.submit(EngineJob("model", "synthetic")) for _ in range(20)]
        with pytest.raises(WorkerDiedError, match=cause) as caught:
            bad.result()
        assert caught.value.phase == "run"
        assert caught.value.pid
        assert all(future.exception() is None for future in good)
        assert pool.stats().exits == {reason: 1}


def test_stderr_tail_are_in_the_error_and_in_the_event() -> None:
    events: list[PoolEvent] = []
    with Pool(on_event=events.append) as pool:
        with pytest.raises(WorkerDiedError, match="about to leave") as caught:
            pool.run(Call("pool_functions:die"))
        assert caught.value.exit_status == 3
    left = next(event for event in events if isinstance(event, WorkerLeft) and event.reason == "crash")
    assert "about to leave" in left.stderr_tail


def test_megabytes_of_noise_change_nothing() -> None:
    with Pool(models=[synthetic()]) as pool:
        job = EngineJob("model", "synthetic", options={"fault": {"how": "noise", "kib": 8192}})
        assert pool.submit(job).exception() is None
        assert pool.stats().spawns == 1


def test_a_death_is_retried_as_often_as_allowed(tmp_path: Path) -> None:
    with Pool(max_attempts=3) as pool:
        assert pool.run(Call("pool_functions:die_until", str(tmp_path / "count"), 2)) == 3
        stats = pool.stats()
    assert stats.exits == {"killed": 2}
    assert stats.retries == 2


def test_a_job_that_always_kills_is_poisoned_with_evidence(tmp_path: Path) -> None:
    retry = Retry(stop=tenacity.stop_after_attempt(2), wait=tenacity.wait_fixed(0.01))
    with Pool(max_attempts=retry) as pool:
        other = pool.submit(Call("pool_functions:add", 1, 1))
        with pytest.raises(JobPoisonedError) as caught:
            pool.run(Call("pool_functions:die", 7))
        assert [attempt.cause for attempt in caught.value.attempts] == ["exit code 7", "exit code 7"]
        assert [attempt.number for attempt in caught.value.attempts] == [1, 2]
        assert all("about to leave" in attempt.stderr_tail for attempt in caught.value.attempts)
        assert other.result() == 2


def test_a_hang_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    with Pool(models=[synthetic()]) as pool:
        job = EngineJob("model", "synthetic", options={"fault": "hang_ignoring_sigterm"})
        future = pool.submit(job, timeout_s=0.1)
        assert isinstance(future.exception(), TimeoutError)
        assert pool.submit(EngineJob("model", "synthetic")).exception() is None
    assert pool.stats().exits == {"timeout": 1, "shutdown": 1}


def test_a_worker_killed_while_idle_is_replaced() -> None:
    with Pool() as pool:
        pid = pool.run(Call("pool_functions:pid"))
        os.kill(pid, signal.SIGKILL)
        while pool.stats().exits != {"killed": 1}:
            time.sleep(0.005)
        assert pool.run(Call("pool_functions:pid")) != pid


def test_a_model_that_misses_something_fails_its_jobs_with_the_cure() -> None:
    broken = synthetic("broken", faults=[{"how": "unavailable", "when": "load"}])
    with Pool(models=[broken, synthetic("good")]) as pool:
        with pytest.raises(EngineUnavailableError, match="take the fault out"):
            pool.run(EngineJob("broken", "synthetic"))
        assert pool.submit(EngineJob("good", "synthetic")).exception() is None


@pytest.mark.parametrize("how", ["segfault", "raise", "exit"])
def test_a_model_that_cannot_start_is_taken_out_with_its_evidence(how: str) -> None:
    broken = synthetic("broken", faults=[{"how": how, "when": "load"}])
    with Pool(models=[broken, synthetic("good")], workers=2) as pool:
        futures = [pool.submit(EngineJob("broken", "synthetic")) for _ in range(4)]
        good = pool.submit(EngineJob("good", "synthetic"))
        for future in futures:
            with pytest.raises(ModelOutOfUseError, match="broken") as caught:
                future.result()
            assert len(caught.value.evidence) == 3
        with pytest.raises(ModelOutOfUseError):
            pool.run(EngineJob("broken", "synthetic"))
        assert good.exception() is None
        stats = pool.stats()
    assert stats.exits["start-failed"] in {3, 4}
    assert next(model for model in stats.models if model.model == "broken").out_of_use


def test_hard_rss_kills_in_the_middle_of_a_job() -> None:
    with Pool(models=[synthetic()], recycle=Recycle(hard_rss="200MiB")) as pool:
        eater = {"fault": {"how": "allocate", "kib": 4 * 1024 * 1024}}
        with pytest.raises(WorkerDiedError, match="hard-rss"):
            pool.run(EngineJob("model", "synthetic", options=eater))
        assert pool.submit(EngineJob("model", "synthetic")).exception() is None
        assert pool.stats().exits == {"hard-rss": 1}


def test_limits_of_the_kernel_hold_for_a_worker() -> None:
    limited = synthetic("limited")
    limited = type(limited)(name="limited", engine="synthetic", limits={"nofile": 64, "core": 0})
    with Pool(models=[limited]) as pool:
        pool.run(EngineJob("limited", "synthetic"))
        worker = pool.stats().slots[0].worker
        assert worker is not None
        limits = Path(f"/proc/{worker.pid}/limits").read_text()
    assert any(line.split()[:4] == ["Max", "open", "files", "64"] for line in limits.splitlines())


def test_a_hook_that_raises_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def hook(event: PoolEvent) -> None:
        raise RuntimeError("bad hook")

    with Pool(on_event=hook) as pool:
        assert pool.run(Call("pool_functions:add", 1, 1)) == 2
    assert "bad hook" in caplog.text


def test_what_workers_print_can_be_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="orchestrator.worker"), Pool() as pool:
        pool.run(Call("builtins:print", "one line\nanother"))
    lines = [record.getMessage() for record in caplog.records if record.name == "orchestrator.worker"]
    assert [line.split(": ")[1] for line in lines] == ["one line", "another"]
    assert lines[0].startswith("slot 0 generation 1 pid ")


def test_workers_die_with_a_killed_host_even_holding_the_gil(tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from orchestrator import EngineJob, Model, Pool
pool = Pool(models=[Model(name="m", engine="synthetic")], workers=2)
pool.submit(EngineJob("m", "synthetic", options={{"fault": "hang_holding_gil"}}))
while not pool.stats().running:
    time.sleep(0.01)
Path({str(tmp_path / "pids")!r}).write_text(" ".join(str(slot.worker.pid) for slot in pool.stats().slots))
Path({str(tmp_path / "ready")!r}).touch()
time.sleep(3600)
"""
    host = subprocess.Popen([sys.executable, "-c", program])
    while not (tmp_path / "ready").exists():
        assert host.poll() is None
        time.sleep(0.01)
    workers = [psutil.Process(int(pid)) for pid in (tmp_path / "pids").read_text().split()]
    host.kill()
    host.wait()
    _, alive = psutil.wait_procs(workers, timeout=5.0)
    assert alive == []


ENDED = 8
ENDS = {
    "a crash": (EngineJob("model", "synthetic", options={"fault": "segfault"}), None),
    "what is no message": (EngineJob("model", "synthetic", options={"fault": "garbage_frame"}), None),
    "closed pipes": (Call("hostile_functions:close_and_live", "all", 60), None),
    "a hang": (EngineJob("model", "synthetic", options={"fault": "hang_ignoring_sigterm"}), 0.1),
    "its number of jobs": (EngineJob("model", "synthetic"), None),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_is_left_of_an_ended_worker_needs_no_garbage_collector(end: str) -> None:
    """A pool in a long life has thousands, each with what it has printed and what was read of a frame."""
    job, timeout_s = ENDS[end]
    kinds = (Worker, ProcessLink, WorkerProcess)
    gc.collect()
    gc.disable()
    before = [each for each in gc.get_objects() if isinstance(each, kinds)]
    try:
        with Pool(models=[synthetic()], recycle=Recycle(max_jobs=1)) as pool:
            for _ in range(ENDED):
                pool.submit(job, timeout_s=timeout_s).exception()
        assert pool.stats().spawns >= ENDED
        left = [each for each in gc.get_objects() if isinstance(each, kinds) and each not in before]
        assert len(left) <= 3 * len(
            kinds
        )  # those that the loop names: whom it heard, and about whom it decided last
    finally:
        gc.enable()

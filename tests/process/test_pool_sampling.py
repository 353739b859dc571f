"""A pool's memory, read by a process of its own: what it sees, what it costs an idle pool, and what its death costs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestrator import Call, Pool, Recycle
from orchestrator.errors import WorkerDiedError
from orchestrator.pool.runtime import pool_sampling
from orchestrator.pool.runtime.pool_sampling import START_AFTER_S, PoolSampling

MIB = 1 << 20
PATIENCE_S = 30.0

pytestmark = pytest.mark.usefixtures("nothing_left")


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def sampling_processes() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        try:
            if any(part.endswith(os.path.join("sampling", "__main__.py")) for part in child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


def serving(pool: Pool) -> psutil.Process:
    """Return the pool's sampling process once it is there."""
    wait_until(lambda: pool.stats().sampled_by == "process")
    wait_until(sampling_processes)  # the line of its command is read as empty for a moment
    (process,) = sampling_processes()
    return process


def test_a_flash_within_a_job_is_in_the_peak_and_every_reading_in_the_series(tmp_path: Path) -> None:
    with Pool() as pool:
        with _Waiting(pool, tmp_path) as gate:
            serving(pool)
            gate.open()
        (tmp_path / "over").write_bytes(bytes(1))
        pool.run(Call("pool_functions:flash", 96, 0.3, str(tmp_path / "over")))
        slot = pool.stats().slots[0]
    assert slot.peak_bytes > 96 * MIB
    assert any(sample.rss_bytes > 96 * MIB for sample in slot.series)
    times = [sample.at_s for sample in slot.series]
    assert times == sorted(times)


class _Waiting:
    """A job that works until it is told to end."""

    def __init__(self, pool: Pool, folder: Path, mib: int = 1) -> None:
        self._path = folder / f"taken-{mib}-{time.monotonic_ns()}"
        self.job = pool.submit(Call("pool_functions:take", mib, str(self._path)))

    def __enter__(self) -> "_Waiting":
        return self

    def begun(self) -> bool:
        return self._path.exists()

    def open(self) -> None:
        Path(f"{self._path}.go").touch(exist_ok=True)

    def __exit__(self, *_: object) -> None:
        self.open()
        self.job.exception(PATIENCE_S)


BUSY = """
import json, mmap, sys, time
sys.path.insert(0, sys.argv[1])
from orchestrator import Call, Pool
with Pool() as pool:
    pool.run(Call("pool_functions:nap", 0.5))
    assert pool.stats().sampled_by == "process"
    before = pool.stats()
    job = pool.submit(Call("pool_functions:flash", 96, 0.2, sys.argv[2]))
    began = time.monotonic()
    while not job.running():
        time.sleep(0.001)
    sys.setswitchinterval(10.0)  # nobody else gets the interpreter while we work
    with open(sys.argv[2], "rb") as file:
        number, over = 0, mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ)
    while over[0] == 0:  # a look at memory, which gives nobody else a turn
        number += sum(range(1000))
    ended = time.monotonic()
    sys.setswitchinterval(0.005)
    job.result()
    pool.run(Call("pool_functions:nap", 0.2))  # what is missed is counted with the next reading
    stats = pool.stats()
rows = [sample for sample in stats.slots[0].series if began <= sample.at_s <= ended]
print(json.dumps({
    "s": ended - began,
    "rows": len(rows),
    "missed": stats.missed_readings - before.missed_readings,
    "most": max(sample.rss_bytes for sample in rows),
    "peak": stats.slots[0].peak_bytes,
}))
"""


def test_beside_a_host_that_never_gives_up_the_interpreter_nothing_is_missed(tmp_path: Path) -> None:
    over = tmp_path / "over"
    over.write_bytes(bytes(1))
    command = [sys.executable, "-c", BUSY, str(Path(__file__).parent), str(over)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["peak"] >= found["most"] > 96 * MIB, "what came and went while no thread of ours ran"
    assert found["rows"] + found["missed"] >= found["s"] / 0.02 - 4


def test_hard_rss_is_kept_by_a_reading_of_the_process(tmp_path: Path) -> None:
    with Pool(recycle=Recycle(hard_rss="150MiB")) as pool:
        with _Waiting(pool, tmp_path) as gate:
            serving(pool)
            gate.open()
        with _Waiting(pool, tmp_path, 200) as over, pytest.raises(WorkerDiedError, match="hard-rss"):
            over.job.result(PATIENCE_S)
        assert pool.stats().exits["hard-rss"] == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_its_end_costs_no_job_and_no_decision(tmp_path: Path, number: signal.Signals) -> None:
    with Pool(recycle=Recycle(hard_rss="150MiB")) as pool:
        with _Waiting(pool, tmp_path) as gate:
            first = serving(pool)
            os.kill(first.pid, number)
            wait_until(gate.begun)
            wait_until(lambda: any(one.pid != first.pid for one in sampling_processes()))
            gate.open()
            assert gate.job.result(PATIENCE_S) == MIB
        with _Waiting(pool, tmp_path, 200) as over, pytest.raises(WorkerDiedError, match="hard-rss"):
            over.job.result(PATIENCE_S)
        stats = pool.stats()
    assert stats.exits == {"hard-rss": 1}
    assert not first.is_running()


def test_an_idle_pool_has_nothing_read(tmp_path: Path) -> None:
    with Pool() as pool:
        with _Waiting(pool, tmp_path) as gate:
            process = serving(pool)
            gate.open()

        def turns() -> int:
            return sum(process.num_ctx_switches())

        def sleeps() -> bool:
            before = turns()
            time.sleep(0.1)
            return turns() == before

        wait_until(sleeps)
        idle = pool.stats().slots[0].series[-1].at_s
        with _Waiting(pool, tmp_path, 2) as gate:
            wait_until(lambda: pool.stats().slots[0].series[-1].at_s > idle)
            gate.open()

        def rests() -> bool:
            last = pool.stats().slots[0].series[-1]
            return sleeps() and pool.stats().slots[0].series[-1] == last

        wait_until(rests)
        assert pool.stats().slots[0].series[-1].at_s > idle


def test_the_process_is_started_after_a_moment_of_work_and_not_of_rest() -> None:
    sampling = PoolSampling(0.02, 1)
    for begin in (10.0, 20.0, 30.0):
        assert sampling.gather(begin) is False
        assert sampling.gather(begin + 0.4 * START_AFTER_S) is (begin == 30.0)
        sampling.rest()
        assert (sampling.process is None) is (begin < 30.0)
    assert sampling.alarm >= 0
    sampling.close()
    assert (sampling.process, sampling.alarm) == (None, -1)


def test_it_ends_with_its_pool(tmp_path: Path) -> None:
    with Pool() as pool, _Waiting(pool, tmp_path) as gate:
        process = serving(pool)
        gate.open()
    assert not process.is_running()


def test_without_one_the_loop_reads_and_counts_what_it_misses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pool_sampling, "why_not", lambda: "another system")
    with Pool() as pool:
        with _Waiting(pool, tmp_path, 64) as gate:
            wait_until(lambda: pool.stats().slots[0].peak_bytes > 64 * MIB)
            wait_until(lambda: len(pool.stats().slots[0].series) > 20)
            gate.open()
        assert pool.stats().sampled_by == "loop"
        assert sampling_processes() == []


def test_looks_that_come_late_are_counted_where_the_loop_reads() -> None:
    sampling = PoolSampling(0.02, 1)
    assert sampling.gather(10.0) is False
    assert sampling.gather(10.02) is False
    assert sampling.missed == 0
    assert sampling.gather(10.125) is False
    assert sampling.missed == 4
    sampling.rest()
    assert sampling.gather(99.0) is False
    assert sampling.missed == 4
    sampling.close()

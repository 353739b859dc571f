"""Readings of a process whose memory is known."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from memory_peer import MemoryChild

from orchestrator.experiments.judging.readings import memory_series
from orchestrator.process import memory as memory_module
from orchestrator.process.memory import Memory, ProcessGoneError, read_boundary, reset_peak
from orchestrator.process.sampling.descendants import Descendants, descendants
from orchestrator.process.sampling.resident import ResidentReader

MB = 1024 * 1024
linux = pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells these parts")


@pytest.fixture
def child() -> Iterator[MemoryChild]:
    with MemoryChild() as started:
        yield started


@pytest.fixture
def zombie() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    yield process.pid
    process.wait()


@pytest.fixture
def reaped() -> int:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


@linux
@pytest.mark.parametrize("size_mb", [1, 16, 100])
def test_what_is_allocated_and_touched_is_anonymous_private_and_proportional(
    child: MemoryChild, size_mb: int
) -> None:
    before = read_boundary(child.pid)
    child.tell("allocate", size_mb * MB)
    during = read_boundary(child.pid)
    child.tell("free", 1)
    after = read_boundary(child.pid)
    for part in ("rss", "rss_anon", "uss", "pss"):
        rise = getattr(during, part) - getattr(before, part)
        assert rise == pytest.approx(size_mb * MB, abs=MB // 4), part
    assert leak_series_bytes(after) - leak_series_bytes(before) == pytest.approx(0, abs=MB // 4)
    assert during.rss == during.rss_anon + during.rss_file + during.rss_shmem


@linux
@pytest.mark.parametrize("verb", ["share", "memfd"])
def test_shared_memory_is_in_the_leak_series(child: MemoryChild, verb: str) -> None:
    before = read_boundary(child.pid)
    child.tell(verb, 16 * MB)
    after = read_boundary(child.pid)
    assert after.rss_shmem - before.rss_shmem == pytest.approx(16 * MB, abs=MB // 4)
    assert after.rss_anon - before.rss_anon == pytest.approx(0, abs=MB // 4)
    assert leak_series_bytes(after) - leak_series_bytes(before) == pytest.approx(16 * MB, abs=MB // 4)


@linux
def test_pages_of_a_mapped_file_are_not_in_the_leak_series(child: MemoryChild) -> None:
    before = read_boundary(child.pid)
    child.tell("map_file", 16 * MB)
    after = read_boundary(child.pid)
    assert after.rss_file - before.rss_file == pytest.approx(16 * MB, abs=MB // 4)
    assert leak_series_bytes(after) - leak_series_bytes(before) == pytest.approx(0, abs=MB // 4)


@linux
def test_the_fast_reading_tells_shared_memory_from_files(child: MemoryChild) -> None:
    reader = ResidentReader(child.pid)
    try:
        for verb in ("share", "map_file", "memfd", "allocate"):
            child.tell(verb, 8 * MB)
            full = read_boundary(child.pid)
            reader.read()
            assert reader.shared() == full.rss_shmem
    finally:
        reader.close()


def leak_series_bytes(memory: Memory) -> float:
    """What the leak series is made of, by the one rule there is."""
    series = memory_series([memory])
    assert series is not None
    return float(series.leak_series[0]) * MB


def test_what_is_not_told_counts_as_nothing_in_the_leak_series() -> None:
    assert leak_series_bytes(Memory(rss=10)) == 10
    assert leak_series_bytes(Memory(rss=10, rss_anon=4)) == 4
    assert leak_series_bytes(Memory(rss=10, rss_anon=4, swap=3)) == 7
    assert leak_series_bytes(Memory(rss=10, rss_anon=4, rss_shmem=2, swap=3)) == 9


@linux
def test_threads_and_descriptors_are_counted(child: MemoryChild) -> None:
    before = read_boundary(child.pid)
    child.tell("threads", 3)
    child.tell("open", 5)
    after = read_boundary(child.pid)
    assert after.threads - before.threads == 3
    assert after.descriptors - before.descriptors == 5


@linux
def test_the_peak_outlives_the_memory_until_it_is_reset(child: MemoryChild) -> None:
    child.tell("allocate", 64 * MB)
    high = read_boundary(child.pid).rss
    child.tell("free", 1)
    kept = read_boundary(child.pid)
    assert kept.peak == pytest.approx(high, rel=0.01)
    assert kept.rss < high - 60 * MB
    if not reset_peak(child.pid):
        pytest.skip("this system does not let us reset the peak")
    assert read_boundary(child.pid).peak == pytest.approx(kept.rss, abs=MB)


def test_a_peak_that_cannot_be_reset_says_so(child: MemoryChild, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, text: str) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    assert reset_peak(child.pid) is False


@linux
def test_the_fast_reading_agrees_with_the_full_one(child: MemoryChild) -> None:
    reader = ResidentReader(child.pid)
    try:
        for _ in range(3):
            child.tell("allocate", 10 * MB)
            full, (rss, rss_anon) = read_boundary(child.pid), reader.read()
            # Kernels that sum approximately may hold back 64 pages a CPU and counter.
            slack = 3 * 64 * 4096 * (os.cpu_count() or 1)
            assert rss == pytest.approx(full.rss, abs=slack)
            assert rss_anon == pytest.approx(full.rss_anon, abs=slack)
    finally:
        reader.close()


def test_a_reaped_process_is_gone(reaped: int) -> None:
    with pytest.raises(ProcessGoneError, match=str(reaped)):
        read_boundary(reaped)
    with pytest.raises(ProcessGoneError):
        ResidentReader(reaped)
    with pytest.raises(ProcessGoneError):
        reset_peak(reaped)
    assert descendants(reaped) == []


def test_a_zombie_is_gone(zombie: int) -> None:
    with pytest.raises(ProcessGoneError):
        read_boundary(zombie)
    reader = ResidentReader(zombie)
    for _ in range(2):  # the same text as before is no reading either
        with pytest.raises(ProcessGoneError):
            reader.read()
    reader.close()


def test_a_reader_outlives_its_process_and_keeps_no_descriptor(child: MemoryChild) -> None:
    reader = ResidentReader(child.pid)
    assert reader.read()[0] > MB
    child.kill()
    child.process.wait()
    with pytest.raises(ProcessGoneError):
        reader.read()
    reader.close()
    reader.close()
    with pytest.raises(ProcessGoneError):
        reader.read()


def test_descendants_are_found_through_any_thread_and_summed(child: MemoryChild) -> None:
    found = Descendants(child.pid)
    found.look()
    assert not found.known
    first = child.tell("child", 32 * MB)
    second = child.tell("grandchild", 16 * MB)
    found.look()
    try:
        assert found.read_rss() >= 48 * MB
        assert len(found.known) == 2
        assert next(iter(found.known)) == first
        assert set(descendants(child.pid)) == set(found.known)
        assert second in found.known
        child.tell("bury", 0)
        assert first not in descendants(child.pid)
        found.look()
        assert first not in found.known
    finally:
        found.close()
    assert not found.known


def test_the_dead_among_the_descendants_are_forgotten_without_a_look(child: MemoryChild) -> None:
    child.tell("child", 8 * MB)
    found = Descendants(child.pid)
    found.look()
    assert found.read_rss() > 8 * MB
    child.tell("bury", 0)
    assert found.read_rss() == 0
    assert not found.known


def test_elsewhere_psutil_tells_what_it_can(child: MemoryChild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.process.memory.ON_LINUX", False)
    monkeypatch.setattr("orchestrator.process.sampling.resident.ON_LINUX", False)
    monkeypatch.setattr("orchestrator.process.sampling.descendants.ON_LINUX", False)
    before = read_boundary(child.pid)
    reader = ResidentReader(child.pid)
    child.tell("allocate", 16 * MB)
    after = read_boundary(child.pid)
    assert leak_series_bytes(after) - leak_series_bytes(before) == pytest.approx(16 * MB, abs=MB)
    assert reader.read()[0] == pytest.approx(after.rss, abs=MB)
    assert after.threads == before.threads == 1
    assert (after.rss_anon, after.swap, after.pss, after.peak) == (None, None, None, None)
    assert descendants(child.pid) == []
    assert child.tell("child", MB) in descendants(child.pid)
    reader.close()


def test_elsewhere_the_gone_are_gone_too(zombie: int, reaped: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.process.memory.ON_LINUX", False)
    monkeypatch.setattr("orchestrator.process.sampling.resident.ON_LINUX", False)
    for pid in (zombie, reaped):
        with pytest.raises(ProcessGoneError):
            read_boundary(pid)
    with pytest.raises(ProcessGoneError):
        ResidentReader(reaped)


def test_sizes_are_read_in_bytes_whatever_else_stands_there() -> None:
    text = b"Name:\tpython: 7\nVmRSS:\t  12 kB\nThreads:\t4\nSigQ:\t1/2\nCpus_allowed_list:\t0-1\nEmpty:\n"
    assert memory_module._sizes(text) == {b"VmRSS": 12 * 1024, b"Threads": 4}

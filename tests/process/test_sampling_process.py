"""The process that samples: what it reads, its limits, and beside a busy host."""

import contextlib
import json
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from memory_peer import MemoryChild
from sampled import PACE_S, PATIENCE_S, Taken, catch_up, wait_until

from orchestrator.process.memory import read_boundary, read_private, reset_peak
from orchestrator.process.sampling import layout, proc_files
from orchestrator.process.sampling import sampling_process as sampling_module
from orchestrator.process.sampling.proc_files import GoneError
from orchestrator.process.sampling.sampler import Sampler
from orchestrator.process.sampling.sampling_process import SamplingProcess

MB = 1024 * 1024

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def child() -> Iterator[MemoryChild]:
    with MemoryChild() as started:
        yield started


@pytest.fixture
def sampling() -> Iterator[SamplingProcess]:
    with contextlib.closing(SamplingProcess(PACE_S, 4096)) as process:
        assert process.start()
        yield process


# ------------------------------------------------------------------ what it reads


def test_it_reads_what_the_kernel_says(sampling: SamplingProcess, child: MemoryChild) -> None:
    number = sampling.watch(child.pid)
    child.tell("allocate", 32 * MB)
    child.tell("share", 8 * MB)
    before_ns = time.monotonic_ns()
    reading = Taken(sampling).first(lambda one: one.time_ns > before_ns)
    kernel = read_boundary(child.pid)
    assert reading.who == number
    assert (reading.rss, reading.rss_anon, reading.rss_shmem) == (
        kernel.rss,
        kernel.rss_anon,
        kernel.rss_shmem,
    )
    assert reading.time_ns < time.monotonic_ns(), "times of both processes are of one clock"


def test_private_pages_are_counted_without_those_that_others_have(
    sampling: SamplingProcess, child: MemoryChild
) -> None:
    sampling.watch(child.pid, accounting=layout.PRIVATE, every=10)
    child.tell("allocate", 24 * MB)
    private = read_private(child.pid)
    assert private is not None
    near = pytest.approx(private, abs=256 * 1024)
    reading = Taken(sampling).first(lambda one: one.private == near and one.held == near)
    assert reading.rss > reading.held + MB, "the interpreter's own files are shared with this one's"
    child.tell("allocate", 16 * MB)
    grown = Taken(sampling).first(lambda one: one.held > private + 15 * MB)
    assert grown.rss > 40 * MB


def test_a_process_that_touches_nothing_is_not_counted_at_every_tenth_reading(
    sampling: SamplingProcess, child: MemoryChild
) -> None:
    sampling.watch(child.pid, accounting=layout.PRIVATE, every=2)
    taken = Taken(sampling)
    taken.first(lambda one: one.private > 0)
    began_ns, before = time.monotonic_ns(), sampling.ring[layout.LOOKS]
    taken.first(lambda one: one.time_ns - began_ns > 400_000_000)
    counted = sampling.ring[layout.LOOKS] - before
    assert counted <= 2 + (time.monotonic_ns() - began_ns) // 500_000_000


def test_a_family_counts_what_it_shares_once(sampling: SamplingProcess, child: MemoryChild) -> None:
    sampling.watch(child.pid, accounting=layout.FAMILY, every=2)
    child.tell("child", 16 * MB)
    # At first the child is a copy of its parent and shares everything.
    reading = Taken(sampling).first(lambda one: one.rss + 15 * MB < one.held < one.tree_rss)
    assert reading.tree_rss - reading.rss > 16 * MB
    child.tell("bury", 0)
    alone = Taken(sampling).first(lambda one: one.tree_rss == one.rss)
    assert alone.held == alone.rss


def test_the_dead_are_told_once_and_the_others_are_read(
    sampling: SamplingProcess, child: MemoryChild
) -> None:
    with MemoryChild() as other:
        dying, living = sampling.watch(child.pid), sampling.watch(other.pid)
        taken = Taken(sampling)
        taken.first(lambda one: one.who == dying)
        child.kill()
        told = taken.first(lambda one: one.who == dying | layout.GONE)
        assert told.rss == 0
        taken.readings.clear()
        for _ in range(3):
            taken.first(lambda one: one.who == living)
        assert {one.who for one in taken.readings} == {living}


def test_a_number_that_is_another_process_by_now_is_never_read(
    sampling: SamplingProcess, child: MemoryChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = proc_files.start_ticks(child.pid)
    monkeypatch.setattr(sampling_module, "start_ticks", lambda pid: start - 1)
    reused = sampling.watch(child.pid)
    taken = Taken(sampling)
    assert taken.first(lambda one: True).who == reused | layout.GONE
    monkeypatch.undo()
    child.kill()
    child.process.wait()
    with pytest.raises(GoneError):
        sampling.watch(child.pid)
    assert all(one.who == reused | layout.GONE for one in taken.readings)


def test_what_is_unwatched_or_paused_is_not_read(sampling: SamplingProcess, child: MemoryChild) -> None:
    with MemoryChild() as other:
        first, second = sampling.watch(child.pid), sampling.watch(other.pid)
        taken = Taken(sampling)
        taken.first(lambda one: one.who == first)
        sampling.unwatch(first)
        sampling.unwatch(first)
        for _ in range(3):
            taken.first(lambda one: one.who == second)
        taken.readings.clear()
        taken.first(lambda one: one.who == second)
        assert {one.who for one in taken.readings} == {second}
        sampling.pause()
        wait_until(lambda: not settled(sampling))
        assert sampling.serves(), "who has nothing to read is not late"
        sampling.resume()
        assert taken.first(lambda one: True).who == second


def settled(sampling: SamplingProcess) -> bool:
    """Whether readings still come: asked over several deadlines."""
    sampling.take()
    threading.Event().wait(5 * PACE_S)
    return bool(sampling.take())


# ------------------------------------------------------------------ limits


def test_a_limit_that_is_passed_raises_the_alarm(sampling: SamplingProcess, child: MemoryChild) -> None:
    sampling.watch(child.pid, limit=64 * MB)
    taken = Taken(sampling)
    taken.first(lambda one: one.rss > 0)
    assert select.select([sampling.alarm], [], [], 0)[0] == []
    child.tell("allocate", 80 * MB)
    assert select.select([sampling.alarm], [], [], PATIENCE_S)[0]
    assert any(one.held > 64 * MB for one in sampling.take()), "the reading is there when it is heard"


def test_so_does_a_budget_of_all_together(sampling: SamplingProcess, child: MemoryChild) -> None:
    with MemoryChild() as other:
        sampling.keep_below(80 * MB)
        sampling.watch(child.pid)
        number = sampling.watch(other.pid)
        child.tell("allocate", 40 * MB)
        Taken(sampling).first(lambda one: one.rss > 40 * MB)
        assert select.select([sampling.alarm], [], [], 0)[0] == []
        other.tell("allocate", 40 * MB)
        assert select.select([sampling.alarm], [], [], PATIENCE_S)[0]
        sampling.unwatch(number)


# ------------------------------------------------------------------ a busy host


BUSY = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from sampled import catch_up, wait_until
from orchestrator.process.sampling.sampler import Sampler
seconds, pids = float(sys.argv[2]), [int(pid) for pid in sys.argv[3:]]
rows = []
sink = lambda label, reading: rows.append((label.iteration, reading.time_ns))
with Sampler(0.01, sink=sink, origin_ns=0) as sampler:
    watches = [sampler.watch(pid) for pid in pids]
    wait_until(sampler.process.serves)
    catch_up(sampler.process)
    number, end = 0, time.monotonic() + seconds
    sys.setswitchinterval(10.0)  # nobody else gets the interpreter while we work
    missed = sampler.missed_deadlines
    began = time.monotonic_ns()
    watches[0].label(iteration=1)
    while time.monotonic() < end:
        number += sum(range(1000))
    watches[0].label(iteration=2)
    held = [row for row in rows if row[0] == 1]
    sys.setswitchinterval(0.005)
    catch_up(sampler.process)
    peak = watches[0].take_peak()
    missed = sampler.missed_deadlines - missed
    of_it, read = ([row for row in rows if row[0] in which] for which in ({1}, {1, 2}))
    s = (read[-1][1] - began) / 1e9
print(json.dumps({"before": len(held), "after": len(of_it), "read": len(read), "missed": missed, "s": s}))
"""


def test_a_host_that_never_gives_up_the_interpreter_misses_nothing(child: MemoryChild) -> None:
    """Every deadline has its reading, or is counted, although no thread of the host ran; labels are of the time."""
    command = [sys.executable, "-c", BUSY, str(Path(__file__).parent), "0.8", str(child.pid)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["before"] < found["after"] / 4, "the host was not busy"
    assert found["read"] + found["missed"] == pytest.approx(found["s"] / 0.01, abs=3)
    assert found["after"] > 20


def test_a_peak_between_two_looks_of_the_host_is_the_kernels(child: MemoryChild) -> None:
    with Sampler(PACE_S) as sampler:
        watch = sampler.watch(child.pid, private_every=10)
        assert sampler.process is not None
        wait_until(sampler.process.serves)
        if not reset_peak(child.pid):
            pytest.skip("this system does not let us reset VmHWM")
        watch.take_peak()
        missed = sampler.missed_deadlines
        child.tell("flash", 60)
        kernel, peak = read_boundary(child.pid).peak, watch.take_peak()
        assert kernel is not None
        catch_up(sampler.process)
        if (
            sampler.missed_deadlines - missed < 60 / 5 - 2
        ):  # else this machine kept it from running all the while
            assert peak.rss == pytest.approx(kernel, rel=0.01)
        wait_until(lambda: watch.private_bytes > 0)


def test_readings_that_nobody_takes_in_time_are_counted_as_missed(child: MemoryChild) -> None:
    with contextlib.closing(SamplingProcess(0.001, 8)) as sampling:
        assert sampling.start()
        sampling.watch(child.pid)
        wait_until(lambda: sampling.ring[layout.HEAD] > 50)
        taken = sampling.take()
        assert len(taken) <= 8
        assert sampling.missed >= sampling.ring.overwritten == sampling.ring.taken - len(taken) > 40

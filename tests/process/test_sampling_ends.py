"""The process that samples: dead, stopped, orphaned, forked, refused."""

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from memory_peer import MemoryChild
from sampled import PACE_S, PATIENCE_S, Taken, wait_until

from orchestrator.process.memory import ProcessGoneError
from orchestrator.process.sampling import layout
from orchestrator.process.sampling import sampler as sampler_module
from orchestrator.process.sampling import sampling_process as sampling_module
from orchestrator.process.sampling.ring import RingReading
from orchestrator.process.sampling.sample_record import Label
from orchestrator.process.sampling.sampler import Sampler
from orchestrator.process.sampling.sampling_process import SamplingProcess
from orchestrator.process.sampling.watch import RssReading

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


# ------------------------------------------------------------------ it dies, it is stopped


def replace(sampling: SamplingProcess) -> int:
    """Kill it, and look after it until there is another; return when it was dead."""
    first = sampling.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    dead_ns = time.monotonic_ns()

    def is_another() -> bool:
        sampling.look_after()
        return sampling.pid not in {None, first}

    wait_until(is_another)
    return dead_ns


def test_a_killed_one_is_replaced_in_the_same_ring_and_said_once(
    sampling: SamplingProcess, child: MemoryChild, caplog: pytest.LogCaptureFixture
) -> None:
    number = sampling.watch(child.pid)
    taken = Taken(sampling)
    taken.first(lambda one: one.rss > 0)
    for _ in range(2):
        before = taken.first(lambda one: True)
        missed = sampling.missed
        dead_ns = replace(sampling)
        later = taken.first(lambda one: one.who == number)
        interval_ns = round(PACE_S * 1e9)
        found = sampling.missed - missed
        assert found >= (later.time_ns - dead_ns) // interval_ns - 2
        assert found <= (time.monotonic_ns() - before.time_ns) // interval_ns + 1
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "SIGKILL" in warnings[0].getMessage()


def test_a_stopped_one_is_noticed_and_replaced(sampling: SamplingProcess, child: MemoryChild) -> None:
    number = sampling.watch(child.pid)
    wait_until(sampling.serves)
    first, missed = sampling.pid, sampling.missed
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: not sampling.serves())

    def is_another() -> bool:  # a busy machine may let it stop only later
        sampling.look_after()
        return sampling.pid not in {None, first}

    wait_until(is_another)
    assert sampling.missed - missed >= sampling_module.LATE_NS // round(PACE_S * 1e9) - 2
    wait_until(sampling.serves)
    assert Taken(sampling).first(lambda one: True).who == number
    assert not psutil.pid_exists(first)


def test_one_that_dies_again_and_again_is_given_up(
    sampling: SamplingProcess, child: MemoryChild, caplog: pytest.LogCaptureFixture
) -> None:
    sampling.watch(child.pid)
    for _ in range(sampling_module.MOST_DEATHS + 1):
        assert sampling.pid is not None
        os.kill(sampling.pid, signal.SIGKILL)
        os.waitid(os.P_PID, sampling.pid, os.WEXITED | os.WNOWAIT)
        sampling.look_after()
    assert sampling.pid is None
    assert "failed 5 times" in (sampling.given_up or "")
    assert not sampling.serves()
    assert "by a thread" in caplog.text


class Rows:
    """A sink."""

    def __init__(self) -> None:
        self.rows: list[tuple[Label, RssReading]] = []

    def __call__(self, label: Label, reading: RssReading) -> None:
        self.rows.append((label, reading))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_run_goes_on_without_its_process_and_gets_another(
    child: MemoryChild, number: signal.Signals
) -> None:
    seen = Rows()
    with Sampler(PACE_S, sink=seen) as sampler:
        watch = sampler.watch(child.pid)
        process = sampler.process
        assert process is not None
        wait_until(process.serves)
        first = process.pid
        assert first is not None
        os.kill(first, number)
        wait_until(lambda: process.pid not in {None, first} and process.serves())
        child.tell("allocate", 32 * MB)
        wait_until(lambda: watch.peak_bytes > 32 * MB)
        sampler.check()
    times = [reading.time_ns for _, reading in seen.rows]
    assert times == sorted(times)


def test_without_an_interpreter_the_thread_reads_and_it_is_said_once(
    child: MemoryChild, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PYTHON", "/there/is/none")
    seen = Rows()
    with Sampler(PACE_S, sink=seen) as sampler:
        watch = sampler.watch(child.pid)
        child.tell("allocate", 32 * MB)
        wait_until(lambda: watch.peak_bytes > 32 * MB)
        assert sampler.process is not None
        assert sampler.process.pid is None
    assert len(seen.rows) > 0
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "/there/is/none" in said[0]


def test_one_that_cannot_open_a_process_leaves_all_to_the_thread(
    child: MemoryChild, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Sampler(PACE_S) as sampler:
        process = sampler.process
        assert process is not None
        watch = sampler.watch(child.pid)
        assert watch.number is not None
        refused = RingReading(time.monotonic_ns(), watch.number | layout.REFUSED, 0, 0, 0, 0, 0, 0)
        monkeypatch.setattr(process.ring, "take", lambda *_: [refused])
        child.tell("allocate", 32 * MB)
        wait_until(lambda: watch.peak_bytes > 32 * MB)
        assert process.pid is None
        assert not watch.gone
    assert f"process {child.pid}" in caplog.text


def test_systems_without_one_have_the_thread(child: MemoryChild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "why_not", lambda: "another system")
    with Sampler(PACE_S) as sampler:
        watch = sampler.watch(child.pid)
        wait_until(lambda: watch.take_peak().readings)
        assert sampler.process is None


# ------------------------------------------------------------------ its host


def test_ctrl_c_and_sigterm_are_for_the_host(sampling: SamplingProcess, child: MemoryChild) -> None:
    number = sampling.watch(child.pid)
    wait_until(sampling.serves)
    first = sampling.pid
    assert first is not None
    assert os.getpgid(first) == first
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(first, each)
    sampling.look_after()
    assert Taken(sampling).first(lambda one: True).who == number
    assert sampling.pid == first


def test_it_holds_nothing_of_the_host_but_what_it_needs(
    sampling: SamplingProcess, child: MemoryChild
) -> None:
    sampling.watch(child.pid)
    wait_until(sampling.serves)
    sampling.pause()  # what it opens to look for descendants it has closed by then
    wait_until(
        lambda: (
            kinds_of_files(sampling.pid)
            == {
                "/dev/null",
                "/memfd",
                "socket",
                "pipe",
                "anon_inode",
                f"/proc/{child.pid}",
                f"/proc/{child.pid}/statm",
            }
        )
    )


def kinds_of_files(pid: int | None) -> set[str]:
    found: set[str] = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/{pid}/fd/{number}").partition(":")[0])
    return found


HOST = """
import os, sys, time
from orchestrator.process.sampling.sampling_process import SamplingProcess
process = SamplingProcess(0.005, 64)
process.start()
process.watch(int(sys.argv[1]))
while not process.serves():
    time.sleep(0.001)
print(process.pid, flush=True)
if sys.argv[2] == "fork" and os.fork() == 0:
    assert process.pid is None
    sys.stdin.read()
    os._exit(0)
sys.stdin.read()
"""


@pytest.mark.parametrize("state", ["running", "stopped", "fork"])
def test_it_dies_with_a_killed_host(child: MemoryChild, state: str) -> None:
    """Also while it is stopped, and while a forked copy of the host lives on."""
    command = [sys.executable, "-c", HOST, str(child.pid), state]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        pidfd = os.pidfd_open(pid)
        try:
            if state == "stopped":
                os.kill(pid, signal.SIGSTOP)
            host.kill()
            assert select.select([pidfd], [], [], PATIENCE_S)[0]
        finally:
            os.close(pidfd)


def test_watching_the_dead_is_an_error_and_leaves_nothing(child: MemoryChild) -> None:
    with Sampler(PACE_S) as sampler:
        child.kill()
        child.process.wait()
        with pytest.raises(ProcessGoneError):
            sampler.watch(child.pid)

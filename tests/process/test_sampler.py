"""The sampling thread on real processes of known memory."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from memory_peer import MemoryChild

from orchestrator.process.memory import ProcessGoneError, read_boundary, reset_peak
from orchestrator.process.sampling.sample_record import PHASES, Label
from orchestrator.process.sampling.sampler import Sampler
from orchestrator.process.sampling.samples import SampleWriter, read_samples
from orchestrator.process.sampling.watch import RssReading, Sink, Watch

MB = 1024 * 1024
PATIENCE_S = 30.0

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def child() -> Iterator[MemoryChild]:
    with MemoryChild() as started:
        yield started


class Collected:
    """A sink that keeps everything and lets a test wait for a certain reading."""

    def __init__(self) -> None:
        self.rows: list[tuple[Label, RssReading]] = []
        self._news = threading.Condition()

    def __call__(self, label: Label, reading: RssReading) -> None:
        with self._news:
            self.rows.append((label, reading))
            self._news.notify_all()

    def wait_for(self, wanted: Callable[[Label, RssReading], bool]) -> tuple[Label, RssReading]:
        """Return the first reading from now on that is as wanted."""
        with self._news:
            first = len(self.rows)
            assert self._news.wait_for(lambda: any(wanted(*row) for row in self.rows[first:]), PATIENCE_S)
            return next(row for row in self.rows[first:] if wanted(*row))


def any_reading(label: Label, reading: RssReading) -> bool:
    return True


def test_an_allocation_held_40_ms_is_seen_and_agrees_with_the_kernel(child: MemoryChild) -> None:
    with Sampler(0.005) as sampler:
        watch = sampler.watch(child.pid)
        base = watch.latest.rss
        reset = reset_peak(child.pid)
        watch.take_peak()
        child.tell("flash", 40)
        peak = watch.take_peak()
        sampler.unwatch(watch)
    if peak.rss - base < 60 * MB and sampler.missed_deadlines >= 40 / 5 - 1:
        pytest.skip("this machine kept the sampler from running all the while, and the sampler said so")
    assert peak.rss - base == pytest.approx(64 * MB, abs=2 * MB)
    if reset:
        assert peak.rss == pytest.approx(read_boundary(child.pid).peak, rel=0.01)


def test_a_peak_taken_is_forgotten(child: MemoryChild) -> None:
    seen = Collected()
    with Sampler(0.005, sink=seen) as sampler:
        watch = sampler.watch(child.pid)
        child.tell("allocate", 32 * MB)
        seen.wait_for(lambda _, reading: reading.rss > 32 * MB)
        assert watch.peak_bytes > 32 * MB
        child.tell("free", 1)
        seen.wait_for(lambda _, reading: reading.rss < 32 * MB)
        assert watch.take_peak().rss > 32 * MB
        seen.wait_for(any_reading)
        assert 0 < watch.peak_bytes < 32 * MB


def test_labels_stand_beside_the_readings_and_keep_what_is_not_named(child: MemoryChild) -> None:
    seen = Collected()
    with Sampler(0.005, sink=seen) as sampler:
        watch = sampler.watch(child.pid)
        watch.label(experiment=2, series=1, iteration=5, generation=3, phase="load")
        label, reading = seen.wait_for(lambda label, _: label.iteration == 5)
        assert label == Label(2, 1, 5, 0, 3, PHASES.index("load"))
        assert reading.rss > reading.rss_anon > 0
        watch.label(phase="infer", step=1)
        label, later = seen.wait_for(lambda label, _: label.step == 1)
        assert label == Label(2, 1, 5, 1, 3, PHASES.index("infer"))
        assert later.time_ns > reading.time_ns
        with pytest.raises(ValueError, match="phases are"):
            watch.label(phase="loading")


def test_several_workers_are_told_apart(child: MemoryChild) -> None:
    seen = Collected()
    with MemoryChild() as other, Sampler(0.005, sink=seen) as sampler:
        other.tell("allocate", 32 * MB)
        sampler.watch(child.pid, slot=0).label(series=1)
        sampler.watch(other.pid, slot=1).label(series=2)
        seen.wait_for(lambda label, reading: label.series == 1 and reading.rss < 32 * MB)
        seen.wait_for(lambda label, reading: label.series == 2 and reading.rss > 32 * MB)


def test_descendants_count_in_the_tree_and_not_in_the_process(child: MemoryChild) -> None:
    seen = Collected()
    with Sampler(0.005, sink=seen) as sampler:
        watch = sampler.watch(child.pid)
        child.tell("child", 32 * MB)
        child.tell("grandchild", 16 * MB)
        _, reading = seen.wait_for(lambda _, reading: reading.tree_rss - reading.rss > 48 * MB)
        assert reading.rss < 48 * MB
        child.tell("bury", 0)
        seen.wait_for(lambda _, reading: reading.tree_rss < 48 * MB)
        assert watch.tree_peak_bytes > 48 * MB + watch.peak_bytes - MB


def test_a_process_that_dies_is_gone_and_the_others_go_on(child: MemoryChild) -> None:
    seen = Collected()
    with Sampler(0.005, sink=seen) as sampler, MemoryChild() as other:
        dying, living = sampler.watch(child.pid), sampler.watch(other.pid)
        living.label(series=1)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        seen.wait_for(lambda label, _: label.series == 1)
        seen.wait_for(lambda label, _: label.series == 1)  # a whole round has passed since the death
        assert (dying.gone, living.gone) == (True, False)
        assert dying.latest.rss > MB
        sampler.unwatch(dying)
        sampler.check()
        with pytest.raises(ProcessGoneError):
            sampler.watch(child.process.wait() and child.pid)


def test_after_unwatch_nothing_comes(child: MemoryChild) -> None:
    seen = Collected()
    with Sampler(0.002, sink=seen) as sampler:
        watch = sampler.watch(child.pid)
        seen.wait_for(any_reading)
        sampler.unwatch(watch)
        count = len(seen.rows)
        again = sampler.watch(child.pid)
        again.label(series=1)
        seen.wait_for(lambda label, _: label.series == 1)
        assert {label.series for label, _ in seen.rows[count + 1 :]} <= {0, 1}
        assert not watch.gone
        latest = watch.latest
        seen.wait_for(any_reading)
        assert watch.latest is latest


def test_readings_reach_the_disk_with_their_names(child: MemoryChild, tmp_path: Path) -> None:
    writer = SampleWriter(tmp_path)
    code = writer.series_code("recycle")
    with Sampler(0.002, sink=writer.write) as sampler:
        watch = sampler.watch(child.pid)
        watch.label(series=code, iteration=1, phase="load")
        deadline = time.monotonic() + PATIENCE_S
        while watch.take_peak().readings < 1 and time.monotonic() < deadline:
            child.tell("open", 1)
        writer.flush()
    writer.close()
    records, names = read_samples(tmp_path)
    assert len(records) > 0
    assert names.series[records["series"][-1]] == "recycle"
    assert names.phases[records["phase"][-1]] == "load"
    assert (records["rss"] > records["rss_anon"]).all()
    assert (records["time_ns"][1:] > records["time_ns"][:-1]).all()


class SlowClock:
    """A clock that a sink can push on, as a reading that takes long would."""

    def __init__(self) -> None:
        self.skipped_ns = 0

    def __call__(self) -> int:
        return time.monotonic_ns() + self.skipped_ns


def test_deadlines_that_pass_are_counted_and_not_made_up_for(child: MemoryChild) -> None:
    clock, times = SlowClock(), []
    enough = threading.Event()

    def sink(label: Label, reading: RssReading) -> None:
        times.append(reading.time_ns)
        if len(times) == 1:
            clock.skipped_ns += 50_000_000_000
        if len(times) == 2:
            enough.set()

    with Sampler(1.0, sink=sink, clock_ns=clock) as sampler:
        sampler.watch(child.pid)
        assert enough.wait(PATIENCE_S)
    assert 49 <= sampler.missed_deadlines <= 51 + PATIENCE_S
    assert times[1] - times[0] >= 50_000_000_000


def test_a_sink_that_fails_is_told_and_peaks_go_on(child: MemoryChild) -> None:
    failed = threading.Event()

    def full_disk(label: Label, reading: RssReading) -> None:
        failed.set()
        raise OSError(28, "No space left on device")

    sampler = Sampler(0.002, sink=full_disk).start()
    watch = sampler.watch(child.pid)
    assert failed.wait(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    watch.take_peak()
    while watch.peak_bytes == 0 and time.monotonic() < deadline:
        child.tell("open", 1)
    assert watch.peak_bytes > MB
    with pytest.raises(OSError, match="No space left"):
        sampler.check()
    with pytest.raises(OSError, match="No space left"):
        sampler.stop()


def test_an_unexpected_error_of_the_thread_surfaces_at_the_end(
    child: MemoryChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def break_down(watch: Watch, time_ns: int, sink: Sink, *, look: bool) -> bool:
        failed.set()
        raise ZeroDivisionError("of all things")

    sampler = Sampler(0.002).start()
    sampler.watch(child.pid)
    monkeypatch.setattr(Watch, "sample", break_down)
    assert failed.wait(PATIENCE_S)
    with pytest.raises(ZeroDivisionError, match="of all things"):
        sampler.stop()


def test_an_error_of_the_block_is_not_hidden_by_one_of_the_thread(child: MemoryChild) -> None:
    failed = threading.Event()

    def full_disk(label: Label, reading: RssReading) -> None:
        failed.set()
        raise OSError(28, "No space left on device")

    def block() -> None:
        with Sampler(0.002, sink=full_disk) as sampler:
            sampler.watch(child.pid)
            assert failed.wait(PATIENCE_S)
            raise KeyError("the block's own")

    with pytest.raises(KeyError):
        block()


def test_a_sampler_starts_once_and_stops_without_having_started(child: MemoryChild) -> None:
    sampler = Sampler(0.01)
    sampler.watch(child.pid)
    sampler.stop()
    with Sampler(0.01) as running, pytest.raises(RuntimeError, match="once"):
        running.start()


def test_a_pause_without_a_watched_process_is_not_made_of_missed_deadlines(child: MemoryChild) -> None:
    seen, clock = Collected(), SlowClock()
    with Sampler(0.001, sink=seen, clock_ns=clock) as sampler:
        clock.skipped_ns += 600_000_000_000
        sampler.watch(child.pid)
        seen.wait_for(any_reading)
        assert sampler.missed_deadlines < 600_000 - 1

"""Short jobs that are prefetched into the pipes of real workers: each is done once, ends once, and is not held up."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import JobCancelledError, JobTimeoutError, WorkerDiedError
from orchestrator.pool.core import prefetch
from orchestrator.pool.jobs import Call
from orchestrator.pool.options import Settings
from orchestrator.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_left", "every_job_is_short")
DEADLINE_S = 60.0
FIRST = 1_000_000
"""The number of jobs that no test counts."""


@pytest.fixture
def every_job_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a tiny job may take long; jobs shall be prefetched all the same."""
    monkeypatch.setattr(prefetch, "SHORT_JOB_S", inf)


@pytest.fixture
def no_job_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefetched jobs stay where they are, whatever they wait behind."""
    monkeypatch.setattr(prefetch, "LONG_JOB_S", inf)


class Notes:
    """What was called, by jobs that leave a line in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def call(self, number: int, target: str = "note", *arguments: object) -> Call:
        return Call(f"pool_functions:{target}", str(self._path), number, *arguments)

    @property
    def counts(self) -> Counter[int]:
        return Counter(int(line) for line in self._path.read_text().split())


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


def registry(pool: Pool) -> Any:
    return pool._controller._supervisor.registry


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def behind_a_gate(
    pool: Pool, tmp_path: Path, notes: Notes, count: int
) -> tuple[Future[Any], list[Future[Any]], Path]:
    """Bring the only worker to a job that waits for the gate, with ``count`` more prefetched."""
    opening, gate = tmp_path / "opening", tmp_path / "gate"
    pool.run(Call("pool_functions:pid"))
    first = pool.submit(Call("pool_functions:wait_for", str(opening)))
    blocker = pool.submit(notes.call(0, "note_and_wait_for", str(gate)))
    behind = [pool.submit(notes.call(number)) for number in range(1, count + 1)]
    opening.touch()
    assert first.result(DEADLINE_S)
    until(lambda: notes.counts[0])
    (worker,) = registry(pool).with_prefetched
    assert len(worker.prefetched) == count
    return blocker, behind, gate


def all_done(futures: list[Future[Any]]) -> None:
    assert not wait(futures, DEADLINE_S).not_done


# ------------------------------------------------------------------ cancelled


@pytest.mark.parametrize("workers", [1, 2])
def test_among_thousands_with_cancels_each_ends_once_and_with_its_own_value(
    workers: int, notes: Notes
) -> None:
    chance = random.Random(workers)
    outcomes: Counter[int] = Counter()
    futures: list[Future[Any]] = []
    with Pool(workers=workers) as pool:
        for number in range(3000):
            futures.append(pool.submit(notes.call(number)))
            futures[-1].add_done_callback(lambda _, number=number: outcomes.update([number]))
            if chance.random() < 0.15:
                futures[-1 - chance.randrange(min(60, len(futures)))].cancel()
        all_done(futures)
        assert pool.stats().queue_length == 0
    cancelled = {number for number, future in enumerate(futures) if future.cancelled()}
    assert cancelled
    assert all(futures[number].result(0) == number for number in range(3000) if number not in cancelled)
    assert outcomes == Counter(range(3000))
    counts = notes.counts
    assert all(counts[number] == 1 for number in range(3000) if number not in cancelled)
    assert all(counts[number] <= 1 for number in cancelled)
    assert pool.stats().outcomes["call"] == {"result": 3000 - len(cancelled), "cancelled": len(cancelled)}


@pytest.mark.usefixtures("no_job_is_long")
def test_what_is_cancelled_in_line_does_not_run(tmp_path: Path, notes: Notes) -> None:
    with Pool() as pool:
        blocker, behind, gate = behind_a_gate(pool, tmp_path, notes, 15)
        dropped = {3, 7, 15}
        for number in dropped:
            assert behind[number - 1].cancel()
        assert pool.stats().queue_length == 12
        gate.touch()
        all_done([blocker, *behind])
        for number, future in enumerate(behind, 1):
            if number in dropped:
                with pytest.raises(JobCancelledError):
                    future.result(0)
            else:
                assert future.result(0) == number
    assert notes.counts == Counter(set(range(16)) - dropped)
    assert pool.stats().spawns == 1


@pytest.mark.usefixtures("no_job_is_long")
def test_a_cancel_of_the_job_before_a_line_costs_the_line_nothing(tmp_path: Path, notes: Notes) -> None:
    with Pool() as pool:
        blocker, behind, _ = behind_a_gate(pool, tmp_path, notes, 15)
        assert blocker.cancel()
        all_done(behind)
        assert [future.result(0) for future in behind] == list(range(1, 16))
    assert notes.counts == Counter(range(16))
    assert pool.stats().exits == {"cancel": 1, "shutdown": 1}


@pytest.mark.usefixtures("no_job_is_long")
def test_stop_drops_what_stands_in_line(tmp_path: Path, notes: Notes) -> None:
    with Pool() as pool:
        blocker, behind, _ = behind_a_gate(pool, tmp_path, notes, 15)
        pool.stop()
        for future in [blocker, *behind]:
            with pytest.raises(JobCancelledError):
                future.result(0)
    assert notes.counts == Counter([0])


# ------------------------------------------------------------------ deaths


@pytest.mark.usefixtures("no_job_is_long")
def test_a_kill_costs_the_job_at_the_front_and_none_in_line(tmp_path: Path, notes: Notes) -> None:
    with Pool() as pool:
        blocker, behind, _ = behind_a_gate(pool, tmp_path, notes, 15)
        (worker,) = registry(pool).with_prefetched
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerDiedError):
            blocker.result(DEADLINE_S)
        assert [future.result(DEADLINE_S) for future in behind] == list(range(1, 16))
        assert pool.stats().exits == {"killed": 1}
    assert notes.counts == Counter(range(16))


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_that_abort_their_worker_take_none_with_them(workers: int, notes: Notes) -> None:
    killers = set(random.Random(workers).sample(range(1200), 10))
    with Pool(workers=workers) as pool:
        futures = [
            pool.submit(notes.call(number, "note_and_abort" if number in killers else "note"), block=True)
            for number in range(1200)
        ]
        all_done(futures)
        for number, future in enumerate(futures):
            if number in killers:
                assert isinstance(future.exception(0), WorkerDiedError)
            else:
                assert future.result(0) == number
        assert pool.stats().exits == {"crash": 10}
    assert notes.counts == Counter(range(1200)), "none ran twice"


def test_kills_at_any_moment_cost_one_job_each_at_most(notes: Notes) -> None:
    killed = 0
    with Pool(workers=2) as pool:
        futures = []
        for number in range(2400):
            futures.append(pool.submit(notes.call(number)))
            if number % 400 == 399:
                pids = [
                    slot.worker.pid for slot in pool.stats().slots if slot.state == "busy" and slot.worker
                ]
                for pid in pids[:1]:
                    with suppress(ProcessLookupError):  # it was killed before, and is reaped just now
                        os.kill(pid, signal.SIGKILL)
                        killed += 1
        all_done(futures)
        lost = {number for number, future in enumerate(futures) if future.exception(0) is not None}
        assert all(isinstance(futures[number].exception(0), WorkerDiedError) for number in lost)
        assert len(lost) <= killed
        assert all(futures[number].result(0) == number for number in range(2400) if number not in lost)
    counts = notes.counts
    assert all(counts[number] == 1 for number in range(2400) if number not in lost)
    assert all(counts[number] <= 1 for number in lost)


def test_a_job_that_is_tried_again_after_its_workers_death_ran_only_as_often(
    tmp_path: Path, notes: Notes
) -> None:
    with Pool(max_attempts=3) as pool:
        before = [pool.submit(notes.call(number)) for number in range(200)]
        deadly = pool.submit(Call("pool_functions:die_until", str(tmp_path / "count"), 2))
        behind = [pool.submit(notes.call(number)) for number in range(200, 400)]
        assert deadly.result(DEADLINE_S) == 3
        assert [future.result(DEADLINE_S) for future in before + behind] == list(range(400))
        assert pool.stats().retries == 2
    assert notes.counts == Counter(range(400))


# ------------------------------------------------------------------ long ones among short ones


def test_a_job_that_takes_long_holds_no_other_up(tmp_path: Path, notes: Notes) -> None:
    gate = tmp_path / "gate"
    with Pool(workers=2) as pool:
        before = [pool.submit(notes.call(number)) for number in range(1, 300)]
        long = pool.submit(notes.call(0, "note_and_wait_for", str(gate)))
        behind = [pool.submit(notes.call(number)) for number in range(300, 600)]
        all_done(before + behind)
        assert not long.done()
        gate.touch()
        assert long.result(DEADLINE_S) == 0
    assert notes.counts == Counter(range(600))


def test_several_long_jobs_find_every_worker_and_a_line_waits_for_none(tmp_path: Path, notes: Notes) -> None:
    gates = [tmp_path / f"gate {number}" for number in range(3)]
    with Pool(workers=3) as pool:
        futures = [pool.submit(notes.call(number)) for number in range(3, 300)]
        long = [
            pool.submit(notes.call(number, "note_and_wait_for", str(gate)))
            for number, gate in enumerate(gates)
        ]
        until(lambda: notes.counts.keys() >= {0, 1, 2})
        all_done(futures)
        for gate in gates:
            gate.touch()
        assert [future.result(DEADLINE_S) for future in long] == [0, 1, 2]
    assert notes.counts == Counter(range(300))


@pytest.mark.usefixtures("no_job_is_long")
def test_something_urgent_passes_those_in_line(tmp_path: Path, notes: Notes) -> None:
    order: list[str] = []
    with Pool() as pool:
        blocker, behind, gate = behind_a_gate(pool, tmp_path, notes, 10)
        for future in behind:
            future.add_done_callback(lambda _: order.append("usual"))
        urgent = pool.submit(notes.call(99), priority=1)
        urgent.add_done_callback(lambda _: order.append("urgent"))
        assert pool.stats().queue_length == 11, "asked behind it: by now it has been submitted"
        gate.touch()
        all_done([blocker, urgent, *behind])
    assert order == ["urgent"] + ["usual"] * 10


# ------------------------------------------------------------------ limits of time


def test_timeouts_among_tiny_jobs_touch_none_of_them(notes: Notes) -> None:
    with Pool() as pool:
        tiny: list[Future[Any]] = []
        late: list[Future[Any]] = []
        for turn in range(3):
            tiny += [pool.submit(notes.call(100 * turn + one)) for one in range(50)]
            late.append(pool.submit(Call("pool_functions:nap", DEADLINE_S), timeout_s=0.05))
            tiny += [
                pool.submit(notes.call(100 * turn + one), timeout_s=DEADLINE_S) for one in range(50, 100)
            ]
        for future in late:
            with pytest.raises(JobTimeoutError) as caught:
                future.result(DEADLINE_S)
            assert caught.value.where == "run"
        assert [future.result(DEADLINE_S) for future in tiny] == list(range(300))
        assert pool.stats().exits == {"timeout": 3}
    assert notes.counts == Counter(range(300))


# ------------------------------------------------------------------ jobs that look whether they are cancelled


def given_back(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list in which each job is noted that a worker gives back."""
    found: list[int] = []
    supervisor = pool._controller._supervisor
    returned = supervisor._prefetch.returned

    def note(worker: Any, job_id: int, now: float) -> bool:
        found.append(job_id)
        return returned(worker, job_id, now)

    monkeypatch.setattr(supervisor._prefetch, "returned", note)
    return found


def test_a_stream_among_tiny_jobs_has_all_its_text_and_costs_none(
    tmp_path: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "abcdefghij" * 20
    opening = tmp_path / "opening"
    with Pool() as pool:
        pool.run(notes.call(FIRST))
        back = given_back(pool, monkeypatch)
        first = pool.submit(Call("pool_functions:wait_for", str(opening)))
        before = [pool.submit(notes.call(number)) for number in range(100)]
        streams = [pool.stream(notes.call(number, "note_and_spell", text)) for number in range(100, 105)]
        behind = [pool.submit(notes.call(number)) for number in range(105, 205)]
        opening.touch()  # only now, that all of them can stand in one line
        assert first.result(DEADLINE_S)
        for number, stream in enumerate(streams, 100):
            assert "".join(map(str, stream)) == text
            assert stream.result() == number
        assert [future.result(DEADLINE_S) for future in before + behind] == [*range(100), *range(105, 205)]
        assert pool.stats().spawns == 1
    assert back, "a generator meets what stands behind it"
    assert notes.counts == Counter([FIRST, *range(205)])


@pytest.mark.usefixtures("no_job_is_long")
def test_a_generator_that_is_cancelled_gives_its_line_back_and_keeps_its_worker(
    tmp_path: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Settings.__init__.__kwdefaults__, "cancel_grace_s", DEADLINE_S)
    with Pool() as pool:
        pool.run(notes.call(FIRST))
        opening = tmp_path / "opening"
        first = pool.submit(Call("pool_functions:wait_for", str(opening)))
        endless = pool.submit(Call("pool_functions:generate_until", str(tmp_path / "never")))
        behind = [pool.submit(notes.call(number)) for number in range(15)]
        opening.touch()
        assert first.result(DEADLINE_S)
        until(endless.running)
        until(lambda: not registry(pool).with_prefetched)
        assert endless.cancel()
        assert [future.result(DEADLINE_S) for future in behind] == list(range(15))
        assert pool.stats().spawns == 1
    assert notes.counts == Counter([FIRST, *range(15)])


def test_generators_with_cancels_at_random_leave_none_behind(notes: Notes) -> None:
    chance = random.Random(3)
    futures: list[Future[Any]] = []
    with Pool(workers=2) as pool:
        for number in range(1200):
            generator = chance.random() < 0.3
            call = notes.call(number, "note_and_spell", "abc") if generator else notes.call(number)
            futures.append(pool.submit(call))
            if chance.random() < 0.15:
                futures[-1 - chance.randrange(min(40, len(futures)))].cancel()
        all_done(futures)
    counts = notes.counts
    for number, future in enumerate(futures):
        if future.cancelled():
            assert counts[number] <= 1
        else:
            assert future.result(0) == number
            assert counts[number] == 1

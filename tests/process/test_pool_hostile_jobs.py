"""A job that forks, closes the wire or raises the unspeakable costs itself, and no other job."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import (
    EngineUnavailableError,
    JobError,
    JobTimeoutError,
    ProtocolError,
    WorkerDiedError,
)
from orchestrator.pool.core import supervisor
from orchestrator.pool.core.supervisor import MOST_UNREAD
from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stream import JobStream
from orchestrator.process.dialogue import Dialogue
from orchestrator_worker.protocol import Done, Job, Load, Loaded, ModelSpec, Run

pytestmark = pytest.mark.usefixtures("nothing_left")
DEADLINE_S = 60.0
HOSTILE = "hostile_functions:"


# ------------------------------------------------------------------ forks


@pytest.mark.parametrize("how", ["python", "native"])
def test_a_forked_child_that_comes_back_is_ended_and_says_nothing(how: str) -> None:
    with Pool() as pool:
        for number in range(3):
            jobs = [pool.submit(Call(HOSTILE + "fork_and_return", f"mine {number}", how))]
            jobs += [pool.submit(Call("operator:add", number, 1)) for _ in range(3)]
            assert [job.result(DEADLINE_S) for job in jobs] == [f"mine {number}", *[number + 1] * 3]
        assert pool.stats().spawns == 1


@pytest.mark.parametrize("kind", ["error", "exit", "interrupt"])
def test_whatever_the_child_raises(kind: str) -> None:
    with Pool() as pool:
        assert pool.submit(Call(HOSTILE + "fork_and_raise", kind)).result(DEADLINE_S) == kind
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert pool.stats().spawns == 1


def test_the_child_of_a_generator_sends_no_text() -> None:
    with Pool() as pool:
        stream = pool.stream(Call(HOSTILE + "fork_within_a_generator"))
        assert "".join(map(str, stream)) == "ab"
        assert stream.result() == "parent"
        assert pool.run(Call("operator:add", 1, 1)) == 2


def test_descriptors_that_a_child_opens_are_its_own(tmp_path: Path) -> None:
    with Pool() as pool:
        job = Call(HOSTILE + "fork_again_and_again", str(tmp_path / "file"))
        assert pool.submit(job).result(DEADLINE_S) == "written" * 4


def test_a_child_that_lives_on_takes_no_job_of_the_worker() -> None:
    with Pool() as pool:
        pool.submit(Call(HOSTILE + "leave_a_child", DEADLINE_S)).result(DEADLINE_S)
        assert list(pool.map(Call("operator:add", number, 1) for number in range(50))) == list(range(1, 51))
        assert pool.stats().spawns == 1


def test_text_that_a_thread_emits_after_the_job_is_nobodys() -> None:
    with Pool() as pool:
        stream = pool.stream(Call(HOSTILE + "emit_later", 0.005, 20))
        assert stream.result(DEADLINE_S) == "done"
        later = pool.stream(Call("time:sleep", 0.2))
        assert "".join(map(str, later)) == ""
        assert pool.stats().exits == {}


# ------------------------------------------------------------------ closed descriptors


@pytest.mark.parametrize("which", ["replies", "both", "all"])
def test_a_worker_that_closes_the_wire_and_lives_is_ended(which: str) -> None:
    with Pool(workers=2) as pool:
        job = pool.submit(Call(HOSTILE + "close_and_live", which, 10 * DEADLINE_S))
        others = [pool.submit(Call("operator:add", number, 1)) for number in range(20)]
        error = job.exception(DEADLINE_S)
        assert isinstance(error, WorkerDiedError)
        assert "closed its end" in str(error)
        assert [other.result(DEADLINE_S) for other in others] == list(range(1, 21))
        assert pool.stats().exits == {"protocol": 1}


def test_a_worker_that_can_be_told_nothing_is_ended_when_it_is_to_be_told_something() -> None:
    with Pool() as pool:
        job = pool.submit(Call(HOSTILE + "close_and_live", "commands", 10 * DEADLINE_S), timeout_s=0.2)
        next_one = pool.submit(Call("operator:add", 1, 1))
        assert isinstance(job.exception(DEADLINE_S), JobTimeoutError)
        assert next_one.result(DEADLINE_S) == 2


def test_an_experiment_does_not_wait_for_it_either() -> None:
    with Dialogue() as dialogue:
        model = ModelSpec(engine="function", name="f")
        dialogue.ask(Load(1, model), Loaded, timeout_s=DEADLINE_S, phase="load")
        options = {"target": HOSTILE + "close_and_live", "args": ["both", 10 * DEADLINE_S]}
        with pytest.raises(ProtocolError, match="closed its end"):
            dialogue.ask(Run(2, Job("call", options=options)), Done, timeout_s=10 * DEADLINE_S, phase="infer")


# ------------------------------------------------------------------ exceptions


@pytest.mark.parametrize("kind", ["error", "exit", "interrupt", "memory", "number", "recursion"])
def test_an_exception_without_text_is_a_job_error(kind: str) -> None:
    with Pool() as pool:
        error = pool.submit(Call(HOSTILE + "raise_without_text", kind)).exception(DEADLINE_S)
        assert isinstance(error, JobError)
        assert error.type_name == "WithoutTextError"
        assert "raise_without_text" in error.remote_traceback
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert pool.stats().spawns == 1


@pytest.mark.parametrize("piece", ["x", "\u4e2d", "\U0001f600"])
def test_a_long_text_is_cut(piece: str) -> None:
    with Pool() as pool:
        error = pool.submit(Call(HOSTILE + "raise_long", 40_000_000 // len(piece), piece)).exception(
            DEADLINE_S
        )
        assert isinstance(error, JobError)
        assert error.message.startswith(piece * 100)
        assert error.message.endswith(piece * 100)
        assert "characters cut" in error.message
        assert len(error.message) < 100_000
        assert len(error.remote_traceback) < 200_000
        assert pool.stats().spawns == 1


def test_other_unspeakable_exceptions() -> None:
    with Pool() as pool:
        nameless = pool.submit(Call(HOSTILE + "raise_nameless")).exception(DEADLINE_S)
        assert isinstance(nameless, JobError)
        assert nameless.type_name == "NamelessError"
        assert nameless.message == "still heard"
        lying = pool.submit(Call(HOSTILE + "raise_lying")).exception(DEADLINE_S)
        assert isinstance(lying, JobError)
        assert lying.message == "lies ?"
        chain = pool.submit(Call(HOSTILE + "raise_chain", 3000)).exception(DEADLINE_S)
        assert isinstance(chain, JobError)
        assert chain.message.startswith("number 2999")
        missing = pool.submit(Call(HOSTILE + "raise_unavailable", 10_000_000)).exception(DEADLINE_S)
        assert isinstance(missing, EngineUnavailableError)
        assert missing.how_to_get_it == "5"
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert pool.stats().spawns == 1


# ------------------------------------------------------------------ text that nobody reads


@pytest.mark.parametrize("piece", ["letters " * 8, "word " * 2000], ids=["short pieces", "long pieces"])
def test_an_unread_stream_makes_its_worker_wait_and_no_other(piece: str) -> None:
    with Pool(workers=2) as pool:
        stream = pool.stream(Call(HOSTILE + "talk", piece, 1 << 40))
        held = _until_it_waits(pool, stream)
        assert held < 4 * MOST_UNREAD, "a bound, and what one read brings"
        assert list(pool.map(Call("operator:add", number, 1) for number in range(100))) == list(range(1, 101))
        assert stream.buffer._characters == held
        for _ in range(5000):
            assert next(stream).text.startswith(piece[:1])
        stream.close()
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert pool.stats().spawns <= 3


def _until_it_waits(pool: Pool, stream: JobStream[Any]) -> int:
    """Return how many characters are held once the worker of the stream is not read any more."""
    end = time.monotonic() + DEADLINE_S
    workers = pool._controller._supervisor.registry.workers
    while not any(worker.paused for worker in workers()):
        assert time.monotonic() < end
        time.sleep(0.005)
    time.sleep(0.05)  # what was read with it is taken
    return stream.buffer._characters


def test_a_reader_that_comes_late_gets_every_character() -> None:
    text = "0123456789" * 500
    with Pool() as pool:
        stream = pool.stream(Call(HOSTILE + "talk", text, 1000))
        _until_it_waits(pool, stream)
        assert "".join(map(str, stream)) == text * 1000
        assert stream.result() == 1000


def test_who_waits_for_the_result_first_is_not_kept_waiting() -> None:
    text = "0123456789" * 500
    with Pool() as pool:
        stream = pool.stream(Call(HOSTILE + "talk", text, 1000))
        _until_it_waits(pool, stream)
        assert stream.result(DEADLINE_S) == 1000
        assert "".join(map(str, stream)) == text * 1000


def test_close_waits_for_no_reader() -> None:
    pool = Pool()
    stream = pool.stream(Call(HOSTILE + "talk", "0123456789" * 500, 1000))
    _until_it_waits(pool, stream)
    assert pool.close(DEADLINE_S)
    assert stream.result(0) == 1000


def test_a_stream_that_waits_keeps_its_time_limit() -> None:
    with Pool() as pool:
        stream = pool.stream(Call(HOSTILE + "talk", "y" * 10_000, 1 << 40), timeout_s=1.0)
        assert isinstance(_error_without_reading(stream), JobTimeoutError)
        assert pool.run(Call("operator:add", 1, 1)) == 2


def _error_without_reading(stream: JobStream[Any]) -> BaseException | None:
    done = threading.Event()
    stream.future.add_done_callback(lambda _: done.set())
    assert done.wait(DEADLINE_S)
    return stream.future.exception(0)


def test_text_without_end_that_is_to_be_kept_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "MOST_KEPT", 3 << 20)
    with Pool() as pool:
        stream = pool.stream(Call(HOSTILE + "talk", "z" * 10_000, 1 << 40))
        error = stream.future.exception(DEADLINE_S)
        assert isinstance(error, JobError)
        assert "never read" in str(error)
        assert pool.run(Call("operator:add", 1, 1)) == 2


# ------------------------------------------------------------------ memory of children


@pytest.mark.parametrize("how", ["executed", "forked", "grandchild"])
def test_memory_of_a_workers_children_counts_for_its_hard_limit(how: str) -> None:
    with Pool(recycle=Recycle(hard_rss="150MiB")) as pool:
        job = pool.submit(Call(HOSTILE + "hold_in_a_child", 400, DEADLINE_S, how))
        error = job.exception(DEADLINE_S)
        assert isinstance(error, WorkerDiedError)
        assert "hard-rss" in str(error)
        assert pool.run(Call("operator:add", 1, 1)) == 2


def test_pages_that_children_share_count_once() -> None:
    with Pool(recycle=Recycle(hard_rss="250MiB")) as pool:
        job = pool.submit(Call(HOSTILE + "share_with_children", 100, 4, 1.5))
        assert job.result(DEADLINE_S) == 100 << 20
        assert pool.stats().slots[0].peak_bytes > 100 << 20


# ------------------------------------------------------------------ frozen workers


def test_a_stopped_worker_is_found_and_a_sleeping_one_left_alone() -> None:
    with Pool(workers=2, heartbeat_s=2.0) as pool:
        asleep = pool.submit(Call("time:sleep", 6.0))
        stopped = pool.submit(Call(HOSTILE + "stop_itself"))
        error = stopped.exception(DEADLINE_S)
        assert isinstance(error, WorkerDiedError)
        assert "frozen" in str(error)
        assert asleep.result(DEADLINE_S) is None
        assert pool.stats().exits == {"frozen": 1}


def test_native_code_that_holds_the_gil_is_left_alone() -> None:
    with Pool(heartbeat_s=2.0) as pool:
        assert pool.submit(Call(HOSTILE + "hold_the_gil", 5.0)).result(DEADLINE_S) == "done"

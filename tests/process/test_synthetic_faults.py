"""Each fault of the synthetic engine, in a real worker: what the parent sees of it."""

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
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
from orchestrator.process.dialogue import Dialogue
from orchestrator_worker.protocol import (
    Check,
    Checked,
    Done,
    Job,
    Load,
    Loaded,
    ModelSpec,
    Restart,
    Restarted,
    Run,
    Unload,
    Unloaded,
)

TIMEOUT_S = 30.0
"""Longer than any of these can take: nothing here waits for it."""
SHORT_S = 0.5
"""For workers that are meant to be silent until it is over."""
CLOCK_NANOSLEEP = {"x86_64": "230", "aarch64": "115"}.get(os.uname().machine, "")


@pytest.fixture
def worker() -> Iterator[Dialogue]:
    with Dialogue() as dialogue:
        yield dialogue


def model(*faults: dict[str, Any], engine: str = "synthetic", **options: Any) -> ModelSpec:
    return ModelSpec(engine, "model", options={"faults": list(faults), **options})


def load(worker: Dialogue, spec: ModelSpec) -> Loaded:
    return worker.ask(Load(1, spec), Loaded, timeout_s=TIMEOUT_S, phase="load")


def run(worker: Dialogue, timeout_s: float = TIMEOUT_S, **options: Any) -> Done:
    return worker.ask(Run(2, Job("asr", options=options)), Done, timeout_s=timeout_s, phase="infer")


# ------------------------------------------------------------------------------- how it dies


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"how": "exit", "code": 7}, 7),
        ({"how": "abort"}, -signal.SIGABRT),
        ({"how": "segfault"}, -signal.SIGSEGV),
        ({"how": "kill"}, -signal.SIGKILL),
    ],
)
def test_a_deadly_fault_has_its_exit_status(worker: Dialogue, fault: dict[str, Any], status: int) -> None:
    load(worker, model(fault))
    with pytest.raises(WorkerDiedError) as died:
        run(worker)
    assert died.value.exit_status == status
    assert died.value.phase == "infer"


@pytest.mark.parametrize(
    ("how", "type_name"), [("raise", "RuntimeError"), ("refuse", "EngineError"), ("sys_exit", "SystemExit")]
)
def test_an_exception_is_an_answer_and_the_worker_lives(worker: Dialogue, how: str, type_name: str) -> None:
    load(worker, model({"how": how, "job": 1}))
    with pytest.raises(JobError) as error:
        run(worker)
    assert error.value.type_name == type_name
    assert run(worker).result


def test_a_fault_strikes_at_its_job_only(worker: Dialogue) -> None:
    load(worker, model({"how": "exit", "job": 3}))
    run(worker)
    run(worker)
    with pytest.raises(WorkerDiedError, match="exit code 3"):
        run(worker)


def test_jobs_are_counted_on_through_unload_and_load(worker: Dialogue) -> None:
    spec = model({"how": "exit", "job": 2})
    load(worker, spec)
    run(worker)
    worker.ask(Unload(3), Unloaded, timeout_s=TIMEOUT_S, phase="unload")
    load(worker, spec)
    with pytest.raises(WorkerDiedError):
        run(worker)


def test_a_job_brings_its_own_fault(worker: Dialogue) -> None:
    load(worker, model())
    with pytest.raises(JobError, match="synthetic fault"):
        run(worker, fault="raise")
    with pytest.raises(WorkerDiedError, match="exit code 9"):
        run(worker, fault={"how": "exit", "code": 9})


def test_tokens_before_the_fault_have_been_sent(worker: Dialogue) -> None:
    load(worker, model({"how": "abort", "after_tokens": 2}, tokens=4, text="abcd"))
    heard: list[str] = []
    with pytest.raises(WorkerDiedError):
        worker.ask(
            Run(2, Job("asr"), stream=True),
            Done,
            timeout_s=TIMEOUT_S,
            phase="infer",
            on_chunk=lambda chunk: heard.append(chunk.text),
        )
    assert heard == ["a", "b"]


# ------------------------------------------------------------------------------- where it dies


def test_a_fault_while_loading(worker: Dialogue) -> None:
    with pytest.raises(WorkerDiedError) as died:
        load(worker, model({"how": "abort", "when": "load"}))
    assert died.value.phase == "load"


def test_a_fault_while_unloading(worker: Dialogue) -> None:
    load(worker, model({"how": "abort", "when": "unload"}))
    run(worker)
    with pytest.raises(WorkerDiedError, match="SIGABRT"):
        worker.ask(Unload(3), Unloaded, timeout_s=TIMEOUT_S, phase="unload")


def test_a_fault_while_restarting(worker: Dialogue) -> None:
    load(worker, model({"how": "segfault", "when": "restart"}, engine="synthetic-restart"))
    with pytest.raises(WorkerDiedError, match="SIGSEGV"):
        worker.ask(Restart(3), Restarted, timeout_s=TIMEOUT_S, phase="restart")


def test_a_fault_while_being_checked(worker: Dialogue) -> None:
    spec = model({"how": "unavailable", "when": "import-check"})
    with pytest.raises(EngineUnavailableError) as error:
        worker.ask(Check(3, spec), Checked, timeout_s=TIMEOUT_S, phase="check")
    assert error.value.how_to_get_it


@pytest.mark.parametrize(("engine", "reset"), [("synthetic", "none"), ("synthetic-restart", "restart")])
def test_only_one_of_the_two_restarts(worker: Dialogue, engine: str, reset: str) -> None:
    load(worker, model(engine=engine))
    assert worker.ask(Restart(3), Restarted, timeout_s=TIMEOUT_S, phase="restart").reset == reset


# ------------------------------------------------------------------------------- hangs


@pytest.mark.parametrize("how", ["hang", "hang_ignoring_sigterm", "hang_holding_gil"])
def test_a_hang_does_not_answer(worker: Dialogue, how: str) -> None:
    load(worker, model({"how": how}))
    with pytest.raises(JobTimeoutError):
        run(worker, timeout_s=SHORT_S)


@pytest.mark.skipif(not CLOCK_NANOSLEEP, reason="the number of the system call is not known for this machine")
@pytest.mark.parametrize(
    ("how", "last_signal"),
    [
        ("hang", signal.SIGTERM),
        ("hang_holding_gil", signal.SIGTERM),
        ("hang_ignoring_sigterm", signal.SIGKILL),
    ],
)
def test_which_hang_dies_of_sigterm(worker: Dialogue, how: str, last_signal: int) -> None:
    load(worker, model({"how": how}))
    worker.worker.send(Run(2, Job("asr")))
    wait_until_asleep_in_the_fault(worker)
    assert worker.stop(grace_s=0.05) == -last_signal


def wait_until(true: Callable[[], bool]) -> None:
    """Look every 10 ms; the test's own timeout is the limit."""
    while not true():
        time.sleep(0.01)


def wait_until_asleep_in_the_fault(worker: Dialogue) -> None:
    """Wait until the main thread sleeps by ``clock_nanosleep``; an idle worker waits in ``read``."""
    entry = Path(f"/proc/{worker.worker.pid}/syscall")
    try:
        entry.read_text()
    except PermissionError:
        pytest.skip("the kernel does not show what a process waits in")
    wait_until(lambda: entry.read_text().split()[0] == CLOCK_NANOSLEEP)


def test_a_hang_may_end_by_itself(worker: Dialogue) -> None:
    load(worker, model({"how": "hang_holding_gil", "ms": 20}))
    assert run(worker).seconds >= 0.02


# ------------------------------------------------------------------------------- memory


def test_allocate_grows_to_its_size_and_keeps_it(worker: Dialogue) -> None:
    load(worker, model({"how": "allocate", "kib": 65536, "job": 1}))
    before = anon_bytes(worker)
    run(worker)
    assert anon_bytes(worker) - before == pytest.approx(65536 * 1024, rel=0.02)


def anon_bytes(worker: Dialogue) -> int:
    status = Path(f"/proc/{worker.worker.pid}/smaps_rollup").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("Anonymous:")]
    return int(line.split()[1]) * 1024


def test_allocation_beyond_a_limit_is_a_memory_error(worker: Dialogue) -> None:
    load(worker, model({"how": "allocate", "kib": 1 << 30, "job": 1}))
    limit = 512 * 1024**2
    resource.prlimit(worker.worker.pid, resource.RLIMIT_AS, (limit, limit))
    with pytest.raises(JobError) as error:
        run(worker)
    assert error.value.type_name == "MemoryError"


# ------------------------------------------------------------------------------- pipes


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("garbage", "4294967295 bytes"),
        ("garbage_frame", "undecodable message"),
        ("oversized_frame", "3221225472 bytes"),
    ],
)
def test_broken_frames_are_protocol_errors(worker: Dialogue, how: str, problem: str) -> None:
    load(worker, model({"how": how}))
    with pytest.raises(ProtocolError, match=problem):
        run(worker)


def test_megabytes_of_noise_do_not_disturb_the_answer(worker: Dialogue) -> None:
    load(worker, model({"how": "noise", "kib": 2048}))
    assert run(worker).result
    worker.stop()
    assert "synthetic noise" in worker.worker.stderr_tail


@pytest.mark.parametrize("how", ["grandchild", "grandchild_fork"])
@pytest.mark.parametrize("detached", [False, True])
def test_a_grandchild_keeps_what_it_inherited(worker: Dialogue, how: str, *, detached: bool) -> None:
    load(worker, model({"how": how, "detached": detached, "ms": 20_000}))
    run(worker)
    (grandchild,) = children(worker.worker.pid)
    try:
        if detached:
            wait_until(lambda: os.getpgid(grandchild) == grandchild)  # a fork leaves the group by itself
        assert (os.getpgid(grandchild) == worker.worker.pid) != detached
        noise = os.readlink(f"/proc/{worker.worker.pid}/fd/2")
        kept = open_pipes(grandchild) & open_pipes(worker.worker.pid)
        assert noise in kept
        assert (kept == {noise}) == (how == "grandchild")  # a fork without exec has the protocol's too
    finally:
        os.kill(grandchild, signal.SIGKILL)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def open_pipes(pid: int) -> set[str]:
    targets: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a starting interpreter opens and closes files
            targets.add(os.readlink(entry))
    return {target for target in targets if target.startswith("pipe:")}

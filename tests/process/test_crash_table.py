"""Where a worker dies × how it dies → what the parent says; afterwards nothing of it is left.

The worker is real and so is the death; the synthetic engine commits it.
"""

import signal
from typing import Any

import pytest

from orchestrator.errors import (
    EngineUnavailableError,
    JobError,
    JobTimeoutError,
    ProtocolError,
    SpawnError,
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
    Run,
    Unload,
    Unloaded,
)

pytestmark = pytest.mark.usefixtures("nothing_left")
PATIENCE_S = 30.0
HANG_TIMEOUT_S = 1.0


def model(**fault: Any) -> ModelSpec:
    return ModelSpec(engine="synthetic", name="victim", options={"faults": [fault]} if fault else {})


def drive(dialogue: Dialogue, where: str, fault: dict[str, Any], timeout_s: float = PATIENCE_S) -> None:
    """Take the worker through the phases up to and with ``where``, in which the fault strikes."""
    if where == "check":
        dialogue.ask(
            Check(1, model(when="import-check", **fault)), Checked, timeout_s=timeout_s, phase="check"
        )
        return
    spec = model(when=where, **fault)
    dialogue.ask(Load(1, spec), Loaded, timeout_s=timeout_s if where == "load" else PATIENCE_S, phase="load")
    job = Job("asr", text="one two three")
    dialogue.ask(Run(2, job), Done, timeout_s=timeout_s if where == "run" else PATIENCE_S, phase="infer")
    dialogue.ask(Unload(3), Unloaded, timeout_s=timeout_s, phase="unload")


PHASE = {"check": "check", "load": "load", "run": "infer", "unload": "unload"}
WHERE = list(PHASE)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("exit", "exit code 3"),
        ("abort", "SIGABRT"),
        ("segfault", "SIGSEGV"),
        ("kill", "SIGKILL"),
    ],
)
def test_a_dead_worker_is_reported_with_cause_and_phase(where: str, how: str, cause: str) -> None:
    with Dialogue() as dialogue, pytest.raises(WorkerDiedError) as caught:
        drive(dialogue, where, {"how": how})
    assert caught.value.cause == cause
    assert caught.value.phase == PHASE[where]
    assert caught.value.pid == dialogue.worker.pid
    if how in ("abort", "segfault"):
        assert "Fatal Python error" in caught.value.stderr_tail


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(("how", "type_name"), [("raise", "RuntimeError"), ("sys_exit", "SystemExit")])
def test_an_engine_that_raises_leaves_the_worker_alive(where: str, how: str, type_name: str) -> None:
    with Dialogue() as dialogue:
        with pytest.raises(JobError) as caught:
            drive(dialogue, where, {"how": how})
        assert caught.value.type_name == type_name
        assert "synthetic/faults.py" in caught.value.remote_traceback
        assert dialogue.ask(Check(9, model()), Checked, timeout_s=PATIENCE_S, phase="check").id == 9
        assert dialogue.stop(grace_s=PATIENCE_S) == 0


@pytest.mark.parametrize("where", WHERE)
def test_something_missing_comes_with_how_to_get_it(where: str) -> None:
    with Dialogue() as dialogue, pytest.raises(EngineUnavailableError) as caught:
        drive(dialogue, where, {"how": "unavailable"})
    assert "take the fault out" in caught.value.how_to_get_it


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("how", ["hang", "hang_ignoring_sigterm", "hang_holding_gil"])
def test_a_hang_ends_in_a_timeout_and_the_worker_is_gone(where: str, how: str) -> None:
    with Dialogue() as dialogue, pytest.raises(JobTimeoutError) as caught:
        drive(dialogue, where, {"how": how}, timeout_s=HANG_TIMEOUT_S)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.where == "run"
    assert dialogue.worker.returncode == -signal.SIGKILL


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("garbage", "frame header announces 4294967295 bytes"),
        ("garbage_frame", "undecodable message"),
        ("oversized_frame", f"frame header announces {3 * 1024**3} bytes"),
    ],
)
def test_bytes_that_are_no_message_break_the_protocol(where: str, how: str, words: str) -> None:
    with Dialogue() as dialogue, pytest.raises(ProtocolError, match=words) as caught:
        drive(dialogue, where, {"how": how})
    assert caught.value.raw_excerpt
    assert dialogue.worker.returncode == -signal.SIGKILL


@pytest.mark.parametrize("where", WHERE)
def test_megabytes_of_noise_neither_block_nor_reach_the_protocol(where: str) -> None:
    with Dialogue() as dialogue:
        drive(dialogue, where, {"how": "noise", "kib": 4096})
        assert dialogue.stop(grace_s=PATIENCE_S) == 0
        assert "synthetic noise" in dialogue.worker.stderr_tail
        assert len(dialogue.worker.stderr_tail) <= 64 * 1024


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("how", ["grandchild", "grandchild_fork"])
def test_a_grandchild_that_keeps_the_pipes_delays_nothing_and_goes_with_the_worker(
    where: str, how: str
) -> None:
    with Dialogue() as dialogue:
        drive(dialogue, where, {"how": how})
        assert dialogue.stop(grace_s=PATIENCE_S) == 0


def test_a_detached_grandchild_that_keeps_the_pipes_does_not_keep_us_waiting() -> None:
    with Dialogue() as dialogue:
        drive(dialogue, "run", {"how": "grandchild_fork", "detached": True, "ms": 3000})
        assert dialogue.stop(grace_s=PATIENCE_S) == 0


def test_a_worker_that_ignores_sigterm_is_killed_by_the_ladder() -> None:
    with Dialogue() as dialogue:
        drive_hang = Run(2, Job("asr", text="x", options={"fault": {"how": "hang_ignoring_sigterm"}}))
        dialogue.ask(Load(1, model()), Loaded, timeout_s=PATIENCE_S, phase="load")
        dialogue.worker.send(drive_hang)
        assert dialogue.stop(grace_s=0.3) == -signal.SIGKILL


def test_a_worker_out_of_memory_answers_or_dies_and_is_told_apart() -> None:
    import resource

    with Dialogue() as dialogue:
        dialogue.ask(Load(1, model()), Loaded, timeout_s=PATIENCE_S, phase="load")
        limit = 400 * 1024**2
        resource.prlimit(dialogue.worker.pid, resource.RLIMIT_AS, (limit, limit))
        fault = {"how": "allocate", "kib": 2 * 1024**2}
        run = Run(2, Job("asr", text="x", options={"fault": fault}))
        with pytest.raises((JobError, WorkerDiedError)) as caught:
            dialogue.ask(run, Done, timeout_s=PATIENCE_S, phase="infer")
    if isinstance(caught.value, JobError):
        assert caught.value.type_name in ("MemoryError", "OSError")


def test_a_death_during_the_handshake_is_a_spawn_error_with_the_stderr_tail() -> None:
    with pytest.raises(SpawnError, match="exit code 1") as caught:
        Dialogue({"PYTHONMALLOC": "nonsense"})
    assert "PYTHONMALLOC" in str(caught.value)


def test_a_worker_that_says_nothing_in_time_is_a_spawn_error() -> None:
    with pytest.raises(SpawnError, match="no result within"):
        Dialogue(handshake_timeout_s=0.001)


def test_a_result_over_the_cap_fails_the_job_alone() -> None:
    with Dialogue() as dialogue:
        spec = ModelSpec(engine="function", name="f")
        dialogue.ask(Load(1, spec), Loaded, timeout_s=PATIENCE_S, phase="load")
        call = {"target": "builtins:bytes", "args": [65 * 1024**2], "kwargs": {}}
        with pytest.raises(JobError, match="over the cap"):
            dialogue.ask(Run(2, Job("call", options=call)), Done, timeout_s=PATIENCE_S, phase="infer")
        small = {"target": "math:sqrt", "args": [9], "kwargs": {}}
        assert (
            dialogue.ask(Run(3, Job("call", options=small)), Done, timeout_s=PATIENCE_S, phase="infer").id
            == 3
        )

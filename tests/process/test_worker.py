"""The worker as a process: what it holds when idle, whose code it runs, what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import JobCancelledError, JobError
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.result_values import result_of
from orchestrator_worker.protocol import (
    Cancel,
    Chunk,
    Done,
    Heap,
    Job,
    Load,
    Loaded,
    ModelSpec,
    Plain,
    Restart,
    Restarted,
    Run,
    Transcript,
    Trim,
    Trimmed,
    Unload,
    Unloaded,
)

pytestmark = pytest.mark.usefixtures("nothing_left")
PATIENCE_S = 30.0
FUNCTION = ModelSpec(engine="function", name="f")


def call(target: str, *args: object) -> Job:
    return Job("call", options={"target": target, "args": list(args), "kwargs": {}})


def ask_value(dialogue: Dialogue, target: str, *args: object) -> object:
    done = dialogue.ask(Run(5, call(target, *args)), Done, timeout_s=PATIENCE_S, phase="infer")
    found = result_of(done)
    assert isinstance(found, Plain)
    return found.value


def load(dialogue: Dialogue, model: ModelSpec = FUNCTION) -> Loaded:
    return dialogue.ask(Load(1, model), Loaded, timeout_s=PATIENCE_S, phase="load")


# msgspec itself imports inspect and, through it, what inspect needs; ours is what is not in this list.
HEAVY = {
    "orchestrator", "argparse", "asyncio", "logging", "numpy", "scipy", "rich", "typer", "psutil", "subprocess",
    "importlib.metadata", "email", "json", "tempfile", "multiprocessing", "socket", "ssl", "traceback", "ctypes",
}  # fmt: skip


def test_an_idle_worker_holds_the_standard_library_and_msgspec_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at from its first job on: by then it holds even more than when it was idle."""
    (tmp_path / "look_inside.py").write_text("import sys\n\ndef modules():\n    return sorted(sys.modules)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Dialogue(heap=False) as dialogue:
        load(dialogue)
        modules = ask_value(dialogue, "look_inside:modules")
    assert isinstance(modules, list)
    held = set(modules)
    assert {"orchestrator_worker.loop", "msgspec"} <= held
    assert held & HEAVY == set()
    engines = {name for name in held if name.startswith("orchestrator_worker.engines.")}
    assert not any("synthetic" in name or "sphinx" in name or "moonshine" in name for name in engines)
    third_party = {name.partition(".")[0] for name in held} - sys.stdlib_module_names
    assert third_party <= {"__main__", "orchestrator_worker", "msgspec", "look_inside"} | _site_modules()


def _site_modules() -> set[str]:
    """What a bare interpreter with msgspec holds here: msgspec and .pth files of other packages import things too."""
    bare = subprocess.run(
        [sys.executable, "-P", "-c", "import sys, msgspec.msgpack; print(*sys.modules)"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in bare.stdout.split()}


def test_a_foreign_worker_module_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files with our names or msgspec's, in the working directory or on PYTHONPATH, must not be imported."""
    for name in ("worker", "orchestrator_worker", "msgspec", "signal", "select"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('foreign code ran')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Dialogue() as dialogue:
        load(dialogue)
        assert ask_value(dialogue, "os:getcwd") == str(tmp_path)
        assert ask_value(dialogue, "os:getenv", "PYTHONPATH") == str(tmp_path)
        assert dialogue.stop(grace_s=PATIENCE_S) == 0


def test_the_hosts_modules_are_found_behind_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "user_module.py").write_text("def twice(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Dialogue() as dialogue:
        load(dialogue)
        assert ask_value(dialogue, "user_module:twice", 21) == 42


def test_prints_of_user_code_are_noise_and_not_protocol() -> None:
    with Dialogue() as dialogue:
        load(dialogue)
        ask_value(dialogue, "builtins:print", "hello from the worker")
        assert dialogue.stop(grace_s=PATIENCE_S) == 0
        assert "hello from the worker" in dialogue.worker.stderr_tail


def test_standard_input_is_empty() -> None:
    with Dialogue() as dialogue:
        load(dialogue)
        assert ask_value(dialogue, "os:read", 0, 10) == b""


@pytest.mark.parametrize(
    ("command", "answer", "words"),
    [
        (Run(2, Job("asr")), Done, "no model is loaded"),
        (Unload(2), Unloaded, "no model is loaded"),
        (Restart(2), Restarted, "no model is loaded"),
    ],
    ids=["run", "unload", "restart"],
)
def test_commands_without_a_model_are_refused(command: Run, answer: type[Done], words: str) -> None:
    with Dialogue() as dialogue, pytest.raises(JobError, match=words):
        dialogue.ask(command, answer, timeout_s=PATIENCE_S, phase="x")


def test_a_second_model_and_an_unknown_task_are_refused() -> None:
    with Dialogue() as dialogue:
        load(dialogue)
        with pytest.raises(JobError, match="one at a time"):
            load(dialogue)
        with pytest.raises(JobError, match="has no task 'asr'; it offers call"):
            dialogue.ask(Run(2, Job("asr")), Done, timeout_s=PATIENCE_S, phase="infer")


def test_streamed_text_times_and_speed_have_the_known_truth() -> None:
    """Five tokens are due 60 ms, then 40 ms apart: none is stamped earlier. A busy machine may delay each of them."""
    options = {"tokens": 5, "first_token_ms": 60, "token_ms": 40}
    chunks: list[Chunk] = []
    with Dialogue() as dialogue:
        load(dialogue, ModelSpec(engine="synthetic", name="s", options=options))
        run = Run(2, Job("asr", text="a bb ccc dddd eeeee"), stream=True)
        done = dialogue.ask(run, Done, timeout_s=PATIENCE_S, phase="infer", on_chunk=chunks.append)
    result = result_of(done)
    assert isinstance(result, Transcript)
    assert "".join(chunk.text for chunk in chunks) == result.text
    assert done.times.chunks == len(chunks) == 5
    assert done.times.first_s is not None
    assert done.times.last_s is not None
    assert done.times.first_s >= 0.060
    assert done.times.last_s >= 0.060 + 4 * 0.040
    assert done.times.first_s < done.times.last_s <= done.seconds
    assert done.times.characters_after_first == len(result.text) - len(chunks[0].text)


def test_a_job_without_streaming_sends_no_chunk_but_is_timed() -> None:
    chunks: list[Chunk] = []
    with Dialogue() as dialogue:
        load(dialogue, ModelSpec(engine="synthetic", name="s", options={"tokens": 3}))
        done = dialogue.ask(
            Run(2, Job("asr", text="a b c")),
            Done,
            timeout_s=PATIENCE_S,
            phase="infer",
            on_chunk=chunks.append,
        )
    assert chunks == []
    assert done.times.chunks == 3


def test_a_running_job_is_cancelled_and_a_late_cancel_is_ignored() -> None:
    with Dialogue() as dialogue:
        load(dialogue, ModelSpec(engine="synthetic", name="s", options={"job_ms": 60_000}))
        dialogue.worker.send(Cancel(2))  # of no job: ignored
        dialogue.worker.send(Run(3, Job("asr", text="x")))
        with pytest.raises(JobCancelledError):
            dialogue.ask(Cancel(3), Done, timeout_s=PATIENCE_S, phase="infer")
        dialogue.worker.send(Cancel(3))
        assert dialogue.ask(Unload(4), Unloaded, timeout_s=PATIENCE_S, phase="unload").id == 4


def test_restart_tells_engines_apart() -> None:
    for engine, reset in (("synthetic", "none"), ("synthetic-restart", "restart")):
        with Dialogue() as dialogue:
            load(dialogue, ModelSpec(engine=engine, name="s"))
            assert dialogue.ask(Restart(2), Restarted, timeout_s=PATIENCE_S, phase="restart").reset == reset


def test_the_heap_channel_is_told_with_every_answer_and_can_be_switched_off() -> None:
    with Dialogue() as dialogue:
        loaded = load(dialogue)
        assert isinstance(loaded.heap, Heap)
        assert loaded.heap.off is not None or loaded.heap.live > 0
        trimmed = dialogue.ask(Trim(2), Trimmed, timeout_s=PATIENCE_S, phase="trim")
        assert isinstance(trimmed.trimmed, bool)
    with Dialogue(heap=False) as dialogue:
        assert load(dialogue).heap is None


def test_the_environment_is_set_before_the_worker_starts() -> None:
    with Dialogue({"MALLOC_ARENA_MAX": "1", "OMP_WAIT_POLICY": "passive"}) as dialogue:
        load(dialogue)
        environ = Path(f"/proc/{dialogue.worker.pid}/environ").read_bytes().split(b"\0")
        assert b"MALLOC_ARENA_MAX=1" in environ
        assert b"OMP_WAIT_POLICY=passive" in environ


def test_descriptors_of_the_protocol_are_not_inherited() -> None:
    with Dialogue() as dialogue:
        load(dialogue)
        script = "import os; print(*sorted(os.listdir('/proc/self/fd'), key=int))"
        seen = ask_value(dialogue, "subprocess:getoutput", f'{sys.executable} -c "{script}"')
        assert isinstance(seen, str)
        assert {int(number) for number in json.loads(f"[{seen.replace(' ', ',')}]")} <= {0, 1, 2, 3}

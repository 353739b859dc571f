"""The engines ``synthetic`` and ``function`` in a real worker, over the wire."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import JobCancelledError, JobError
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.result_values import result_of
from orchestrator_worker.protocol import Cancel, Chunk, Done, Job, Load, Loaded, ModelSpec, Plain, Run

TIMEOUT_S = 60.0
USER_MODULE = """
import sys
from orchestrator_worker.engines.base import JobCancelledError
from orchestrator_worker.engines.function import current_emit

def whoami(**facts):
    return {"module": __name__, "asyncio": "asyncio" in sys.modules, **facts}

def patient():
    emit = current_emit()
    emit("started")
    while not emit.cancelled:
        pass
    raise JobCancelledError("stopped by the user's own look")
"""


@pytest.fixture
def dialogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dialogue]:
    (tmp_path / "module_of_the_user.py").write_text(USER_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    with Dialogue() as started:
        yield started


def load(dialogue: Dialogue, engine: str, **options: object) -> Loaded:
    spec = ModelSpec(engine, "model", options=options)
    return dialogue.ask(Load(1, spec), Loaded, timeout_s=TIMEOUT_S, phase="load")


def run(dialogue: Dialogue, job: Job, *, cancel_at_first_chunk: bool = False) -> tuple[Done, list[Chunk]]:
    chunks: list[Chunk] = []

    def hear(chunk: Chunk) -> None:
        chunks.append(chunk)
        if cancel_at_first_chunk and len(chunks) == 1:
            dialogue.worker.send(Cancel(2))

    command = Run(2, job, stream=True)
    done = dialogue.ask(command, Done, timeout_s=TIMEOUT_S, phase="infer", on_chunk=hear)
    return done, chunks


def test_the_worker_stamps_the_schedule_of_the_synthetic_engine(dialogue: Dialogue) -> None:
    """Only lower bounds: a busy machine may be late, never early."""
    load(dialogue, "synthetic", first_token_ms=60, token_ms=20, tokens=6, job_ms=30, text="abcdefghijkl")
    done, chunks = run(dialogue, Job("asr"))
    assert [chunk.text for chunk in chunks] == ["ab", "cd", "ef", "gh", "ij", "kl"]
    assert [chunk.final for chunk in chunks] == [False] * 5 + [True]
    times = done.times
    assert times.first_s is not None
    assert times.last_s is not None
    assert times.first_s >= 0.06
    assert times.last_s >= 0.06 + 5 * 0.02
    assert done.seconds >= 0.06 + 5 * 0.02 + 0.03
    assert (times.chunks, times.characters_after_first) == (6, 10)


def test_a_synthetic_job_is_cancelled_between_tokens(dialogue: Dialogue) -> None:
    load(dialogue, "synthetic", token_ms=60_000, tokens=2, text="ab")
    with pytest.raises(JobCancelledError):
        run(dialogue, Job("asr"), cancel_at_first_chunk=True)


def test_wrong_options_are_a_sentence_and_not_a_crash(dialogue: Dialogue) -> None:
    with pytest.raises(JobError, match=r"did you mean 'job_ms'\?") as error:
        load(dialogue, "synthetic", jop_ms=1)
    assert error.value.type_name == "EngineError"


def test_a_function_of_the_hosts_path_is_called(dialogue: Dialogue) -> None:
    load(dialogue, "function")
    assert "module_of_the_user" not in sys.modules
    options = {"target": "module_of_the_user:whoami", "kwargs": {"list": [1, None, {"deep": 2.5}]}}
    done, _ = run(dialogue, Job("call", options=options))
    expected = {"module": "module_of_the_user", "asyncio": False, "list": [1, None, {"deep": 2.5}]}
    assert result_of(done) == Plain(expected)


def test_a_function_that_looks_is_cancelled(dialogue: Dialogue) -> None:
    load(dialogue, "function")
    with pytest.raises(JobCancelledError, match="own look"):
        run(
            dialogue,
            Job("call", options={"target": "module_of_the_user:patient"}),
            cancel_at_first_chunk=True,
        )


def test_a_value_that_cannot_cross_leaves_the_worker_alive(dialogue: Dialogue) -> None:
    load(dialogue, "function")
    with pytest.raises(JobError, match="returned object, which cannot be sent back"):
        run(dialogue, Job("call", options={"target": "builtins:object"}))
    done, _ = run(dialogue, Job("call", options={"target": "builtins:len", "args": ["four"]}))
    assert result_of(done) == Plain(4)

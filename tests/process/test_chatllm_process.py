"""chatllm: one object in one process, its library, and the ends that a native library may come to.

A test here fails when the guard it is about is taken out; the double does what the facts say.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from chatllm_bench import TIMEOUT_S, Bench

from doubles import Doubles, write_model
from orchestrator.errors import EngineUnavailableError, JobError, WorkerDiedError
from orchestrator.process.result_values import result_of
from orchestrator_worker.protocol import Check, Checked, Chunk, Job

pytestmark = pytest.mark.usefixtures("nothing_left")
TEXT = "One two three four."


@pytest.fixture
def old_bench(doubles: Doubles, tmp_path: Path) -> Bench:
    """A library without ``chatllm_destroy``."""
    return Bench(doubles.checkout(tmp_path / "user", destroy=False), tmp_path)


# ---------------------------------------------------------------------- the process


def test_an_upstream_destroy_kills_the_worker_and_nothing_else(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load()
        assert worker.transcribe().text == TEXT
        with pytest.raises(WorkerDiedError, match="SIGABRT") as died:
            worker.unload()
        assert died.value.phase == "unload"
        assert "double free or corruption" in died.value.stderr_tail


def test_a_worker_with_a_live_object_leaves_without_static_destructors(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load()
        worker.transcribe()
        assert worker.dialogue.stop(grace_s=TIMEOUT_S) == 0


def test_a_static_destructor_would_have_aborted(bench: Bench) -> None:
    """The double does what the fact says, so that the test above proves something."""
    with pytest.raises(AssertionError, match="a live object in a static destructor"):
        bench.child("library.start(words, heard)\nsys.exit(0)")


def test_only_one_object_lives_in_a_process(bench: Bench) -> None:
    script = "library.start(words, heard)\nrefused(lambda: library.start(words, heard))"
    assert bench.child(script) == ["refused: chatllm: one object per process, and one lives already"]


def test_a_second_engine_in_the_process_is_refused(bench: Bench) -> None:
    """The text of two objects would go to the one started last."""
    script = f"""
from orchestrator_worker.engines.chatllm.engine import ChatllmEngine
spec = ModelSpec("chatllm", "model", file=words[1], library={str(bench.checkout.library)!r})
first, second = ChatllmEngine(), ChatllmEngine()
first.load(spec)
refused(lambda: second.load(spec))
"""
    assert bench.child(script) == ["refused: chatllm: one object per process, and one lives already"]


@pytest.mark.parametrize(
    "call",
    ["say('x', heard)", "restart()", "cursor()"],
)
def test_nothing_is_called_before_a_start_or_after_the_end(bench: Bench, call: str) -> None:
    script = f"""
refused(lambda: library.{call})
library.abort()
library.destroy()
library.start(words, heard)
library.destroy()
library.destroy()
refused(lambda: library.{call})
library.abort()
"""
    assert bench.child(script, "destroy=ok") == ["refused: chatllm: no model is started"] * 2


def test_an_object_at_work_is_spoken_to_by_nobody_else(bench: Bench) -> None:
    script = """
library.start(words, heard)
def inside(kind, text):
    if kind == 0 and not said_so:
        said_so.append(1)
        refused(lambda: library.say("x", heard))
        refused(library.destroy)
said_so = []
library.say("x", inside)
"""
    assert bench.child(script, "destroy=ok") == [
        "refused: chatllm: the model is at work",
        "refused: chatllm_destroy returned -1: the object is still at work",
    ]


def test_after_a_failed_start_the_process_takes_no_model(bench: Bench) -> None:
    bad = bench.folder / "bad.bin"
    bad.write_bytes(b"something else altogether")
    with bench.worker() as worker:
        with pytest.raises(JobError, match="bad magic") as failed:
            worker.load(file=str(bad))
        assert str(bad) in str(failed.value)
        with pytest.raises(
            JobError, match="a start has failed in this process before; start a fresh process"
        ):
            worker.load()
    with bench.worker() as worker:
        worker.load()
        assert worker.transcribe().text == TEXT


def test_an_old_library_says_that_it_has_no_destroy(old_bench: Bench) -> None:
    with old_bench.worker() as worker:
        assert worker.load().facts["destroy"] is False
        worker.transcribe()
        with pytest.raises(EngineUnavailableError, match="only returned by ending the process") as raised:
            worker.unload()
        assert "newer chatllm.cpp" in raised.value.how_to_get_it
        assert worker.transcribe().text == TEXT  # the model is still there


def test_a_fork_whose_destroy_works_is_loaded_again_and_again(bench: Bench) -> None:
    with bench.worker("destroy=ok") as worker:
        for _ in range(3):
            worker.load()
            assert worker.transcribe().text == TEXT
            worker.unload()


@pytest.fixture
def sigint_not_ignored() -> Iterator[None]:
    """In a shell's background it is, and workers would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_not_ignored")
def test_ctrl_c_in_a_callback_is_the_parents_business(bench: Bench) -> None:
    with bench.worker("chunk_ms=20") as worker:
        worker.load()

        def interrupt(_: Chunk) -> None:
            os.kill(worker.dialogue.worker.pid, signal.SIGINT)

        done = worker.run(Job("asr", bench.audio()), on_chunk=interrupt)
        assert getattr(result_of(done), "text", None) == TEXT


# ---------------------------------------------------------------------- finding it


def test_ggml_is_found_without_a_loader_path(bench: Bench) -> None:
    """In any order they need each other: by name the first needs all the others."""
    with bench.worker(LD_LIBRARY_PATH="") as worker:
        loaded = worker.load()
        names = [Path(path).name for path in loaded.facts["ggml"]]
        assert names == ["libggml-base.so.0", "libggml.so.0", "libggml-adapter.so.0"]


@pytest.mark.parametrize("place", ["chatllm.cpp/bindings", "chatllm.cpp/build/bin"])
def test_ggml_may_lie_beside_the_library_or_in_bin(bench: Bench, place: str) -> None:
    target = bench.checkout.folder / place
    target.mkdir(exist_ok=True)
    for file in bench.checkout.ggml.iterdir():
        file.rename(target / file.name)
    with bench.worker() as worker:
        assert len(worker.load().facts["ggml"]) == 3


def test_variants_for_other_processors_and_older_versions_are_left_alone(bench: Bench) -> None:
    """ggml opens the one variant that fits by itself; a build in the same folder leaves the version before there."""
    ggml = bench.checkout.ggml
    for name in ("libggml-cpu-skylakex.so", "libggml.so.0.1"):
        shutil.copy2(ggml / "libggml.so.0", ggml / name)
    with bench.worker() as worker:
        names = [Path(path).name for path in worker.load().facts["ggml"]]
        assert names == ["libggml-base.so.0", "libggml.so.0", "libggml-adapter.so.0"]


def test_a_missing_ggml_is_named_with_the_command_that_builds_it(bench: Bench) -> None:
    for file in bench.checkout.ggml.glob("libggml-base*"):
        file.unlink()
    with bench.worker() as worker, pytest.raises(EngineUnavailableError, match="libggml-base") as raised:
        worker.dialogue.ask(Check(1, bench.spec()), Checked, timeout_s=60, phase="check")
    assert "--target libchatllm" in raised.value.how_to_get_it


def test_the_library_is_found_by_variable_and_in_its_usual_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.worker(CHATLLM_LIB=str(bench.checkout.library)) as worker:
        assert worker.load(library=None).facts["library"] == str(bench.checkout.library)
    monkeypatch.chdir(bench.checkout.folder)
    with bench.worker(CHATLLM_LIB="") as worker:
        assert worker.load(library=None).facts["library"] == str(bench.checkout.library)


def test_a_library_that_is_none_of_chatllm(bench: Bench) -> None:
    other = bench.checkout.ggml / "libggml-base.so.0"
    with bench.worker() as worker, pytest.raises(EngineUnavailableError, match="has no chatllm_create"):
        worker.load(library=str(other))


# ---------------------------------------------------------------------- model files


def test_a_missing_model_is_unavailable(bench: Bench) -> None:
    with bench.worker() as worker, pytest.raises(EngineUnavailableError, match=r"gone\.bin is not there"):
        worker.load(file=str(bench.folder / "gone.bin"))


def test_a_model_cut_inside_its_header_kills_the_worker_which_is_reported(bench: Bench) -> None:
    os.truncate(bench.checkout.model, 12)
    with bench.worker() as worker, pytest.raises(WorkerDiedError, match="SIGABRT") as died:
        worker.load()
    assert died.value.phase == "load"


def test_a_model_that_has_lost_its_end_is_warned_of(bench: Bench) -> None:
    """The library starts with it and says nothing."""
    write_model(bench.checkout.model, "asr", 900)
    with bench.worker() as worker:
        loaded = worker.load(options={"size_bytes": 1024})
        (warning,) = loaded.facts["warnings"]
        assert "has 924 bytes and should have 1,024: its end is missing" in warning
        assert worker.transcribe().warnings == [warning]

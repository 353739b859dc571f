"""Each kind of thing doctor looks at, on made-up machines and folders."""

import datetime as dt
import os
import shlex
import wave
from pathlib import Path
from typing import Any

import pytest
from elf_builder import shared_library

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Sample
from orchestrator.doctor import machine
from orchestrator.doctor.engines import Answers, identity, look_at_heap, look_at_packages
from orchestrator.doctor.machine import look_at_cores, look_at_memory, look_at_sandbox, look_at_swap
from orchestrator.doctor.model_files import look_at_models
from orchestrator.doctor.native_library import DESTROY, NEEDED, look_at_libraries
from orchestrator.doctor.results_place import look_at_results
from orchestrator.doctor.sample_files import look_at_samples
from orchestrator.doctor.tools import look_at_tools
from orchestrator.experiments.storage.file_hashes import HashCache
from orchestrator_worker.protocol import Heap

GIB = 1024**3
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def model(engine: str = "chatllm", **keys: Any) -> BoundModel:
    return BoundModel(name="asr-small", engine=engine, label="0.6B", **keys)


def write_library(folder: Path, names: list[str]) -> Path:
    path = folder / "chatllm.cpp/bindings/libchatllm.so"
    path.parent.mkdir(parents=True)
    path.write_bytes(shared_library(names))
    os.utime(path, (NOW.timestamp() - 86_400 * 3,) * 2)
    return path


# ---------------------------------------------------------------- library


def test_a_library_with_destroy_is_told_with_its_age(tmp_path: Path) -> None:
    path = write_library(tmp_path, [*NEEDED, DESTROY])
    library, destroy = look_at_libraries([model(library=str(path))] * 2, tmp_path, NOW)
    assert (library.state, destroy.state) == ("ok", "ok")
    assert "built 2026-11-18 (3 days ago)" in library.found
    assert library.facts["age_days"] == 3
    assert library.facts["destroy"] is True
    assert library.facts["size_bytes"] == path.stat().st_size


def test_an_old_library_without_destroy_works_and_is_noted(tmp_path: Path) -> None:
    path = write_library(tmp_path, list(NEEDED))
    library, destroy = look_at_libraries([model(library=str(path))], tmp_path, NOW)
    assert (library.state, destroy.state) == ("ok", "note")
    assert library.facts["destroy"] is False
    assert "chatllm_destroy is missing" in destroy.found
    assert "--target libchatllm" in destroy.hint


def test_a_library_that_lacks_what_the_engine_calls_is_a_problem(tmp_path: Path) -> None:
    path = write_library(tmp_path, [name for name in NEEDED if name != "chatllm_restart"])
    (library,) = look_at_libraries([model(library=str(path))], tmp_path, NOW)
    assert library.state == "problem"
    assert "lacks chatllm_restart" in library.found


def test_a_library_of_another_machine_is_a_problem(tmp_path: Path) -> None:
    """The loader would say that there is no such file."""
    path = write_library(tmp_path, NEEDED)
    content = bytearray(path.read_bytes())
    content[18:20] = (8).to_bytes(2, "little")
    path.write_bytes(content)
    (library,) = look_at_libraries([model(library=str(path))], tmp_path, NOW)
    assert library.state == "problem"
    assert "is built for processor 8, and this Python is for " in library.found


def test_a_folder_that_is_no_clone_is_filled_by_a_clone(tmp_path: Path) -> None:
    """`git submodule update` knows nothing of it."""
    (library,) = look_at_libraries([model(library=str(tmp_path / "lib.so"))], tmp_path, NOW)
    assert "git clone --recursive https://github.com/foldl/chatllm.cpp && cmake" in library.hint


@pytest.mark.parametrize("filled", [True, False])
def test_a_missing_library_says_how_to_build_it(filled: bool, tmp_path: Path) -> None:
    (tmp_path / "chatllm.cpp").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitmodules").touch()
    if filled:
        (tmp_path / "chatllm.cpp/CMakeLists.txt").touch()
    wanted = str(tmp_path / "chatllm.cpp/bindings/libchatllm.so")
    (library,) = look_at_libraries([model(library=wanted)], tmp_path, NOW)
    assert library.state == "problem"
    assert ("git submodule update" in library.hint) is not filled
    assert "cmake --build chatllm.cpp/build --target libchatllm" in library.hint


def test_a_library_somewhere_else_says_which_variable_names_it(tmp_path: Path) -> None:
    (library,) = look_at_libraries([model(library="/nowhere/lib.so")], tmp_path, NOW)
    assert "CHATLLM_LIB" in library.hint


def test_a_file_that_is_no_library_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "lib.so").write_text("INPUT(libother.so)")
    (library,) = look_at_libraries([model(library=str(tmp_path / "lib.so"))], tmp_path, NOW)
    assert library.state == "problem"
    assert "no ELF shared library" in library.found


# ---------------------------------------------------------------- models and samples


def test_a_model_is_hashed_only_when_asked_and_remembered_then(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights" * 1000)
    hashes = HashCache(tmp_path / ".hashes.json", big_bytes=1)
    (before,) = look_at_models([model(file=str(file))], hashes, hash_files=False, folder=tmp_path)
    assert before.state == "ok"
    assert before.facts["sha256"] is None
    assert "not hashed" in before.found
    (hashed,) = look_at_models([model(file=str(file))], hashes, hash_files=True, folder=tmp_path)
    fresh = HashCache(tmp_path / ".hashes.json", big_bytes=1)
    (after,) = look_at_models([model(file=str(file))], fresh, hash_files=False, folder=tmp_path)
    assert after.facts["sha256"] == hashed.facts["sha256"]
    assert len(hashed.facts["sha256"]) == 64
    assert f"sha256 {hashed.facts['sha256'][:12]}…" in after.found
    file.write_bytes(b"others!" * 1000)
    os.utime(file, (0, 0))
    (changed,) = look_at_models([model(file=str(file))], fresh, hash_files=False, folder=tmp_path)
    assert changed.facts["sha256"] is None


def test_a_folder_counts_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper/model.bin").write_bytes(bytes(3000))
    (tmp_path / "whisper/config.json").write_bytes(bytes(72))
    (found,) = look_at_models(
        [model("faster-whisper", file=str(tmp_path / "whisper"))],
        HashCache(tmp_path / "h"),
        hash_files=False,
        folder=tmp_path,
    )
    assert found.facts["size_bytes"] == 3072


@pytest.mark.parametrize(
    ("engine", "hint"),
    [("chatllm", "convert.py"), ("faster-whisper", "hf download"), ("pocketsphinx", "put the file there")],
)
def test_a_missing_or_empty_model_says_how_to_get_it(engine: str, hint: str, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    (gone,) = look_at_models(
        [model(engine, file=str(file))], HashCache(tmp_path / "h"), hash_files=True, folder=tmp_path
    )
    file.touch()
    (empty,) = look_at_models(
        [model(engine, file=str(file))], HashCache(tmp_path / "h"), hash_files=True, folder=tmp_path
    )
    assert (gone.state, empty.state) == ("problem", "problem")
    assert "is not there" in gone.found
    assert "is empty" in empty.found
    assert hint in gone.hint


def sample(audio: Path, reference: str | None = "one") -> Sample:
    return Sample("phone", str(audio), str(audio.with_suffix(".txt")), reference)


def write_wave(path: Path, seconds: float = 1.5) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(round(seconds * 16_000) * 2))
    return path


def test_a_sample_is_told_with_its_length_and_origin(tmp_path: Path) -> None:
    (found,) = look_at_samples([sample(write_wave(tmp_path / "own.wav"))], {})
    assert found.state == "ok"
    assert "1.5 s at 16000 Hz, user's own" in found.found


def test_a_sample_without_a_reference_works_and_is_noted(tmp_path: Path) -> None:
    (found,) = look_at_samples([sample(write_wave(tmp_path / "own.wav"), None)], {})
    assert found.state == "note"
    assert "no word error rate" in found.found
    assert str(tmp_path / "own.txt") in found.hint


def test_samples_that_cannot_be_used_are_problems(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    found = look_at_samples([sample(tmp_path / "gone.wav"), sample(tmp_path / "empty.wav")], {})
    assert [one.state for one in found] == ["problem", "problem"]
    assert "is not there" in found[0].found
    assert "is empty" in found[1].found


def test_what_init_would_write_is_no_problem(tmp_path: Path) -> None:
    template = write_wave(tmp_path / "template.wav")
    (found,) = look_at_samples([sample(tmp_path / "new.wav", None)], {tmp_path / "new.wav": template})
    assert found.state == "ok"


# ---------------------------------------------------------------- tools and machine


def tools(models: list[BoundModel], *there: str) -> dict[str, str]:
    found = look_at_tools(models, which=lambda name: f"/usr/bin/{name}" if name in there else None)
    return {finding.subject: finding.state for finding in found if finding.subject != "charts"}


def test_ffmpeg_is_a_must_for_chatllm_alone(tmp_path: Path) -> None:
    assert tools([model("moonshine")]) == {"ffmpeg": "note", "compiler": "ok", "cmake": "ok"}
    assert tools([model()])["ffmpeg"] == "problem"
    assert tools([model()], "ffmpeg")["ffmpeg"] == "ok"


def test_a_compiler_is_missed_only_where_there_is_something_to_build(tmp_path: Path) -> None:
    unbuilt = model(library=str(tmp_path / "lib.so"))
    assert tools([unbuilt], "ffmpeg") == {"ffmpeg": "ok", "compiler": "problem", "cmake": "problem"}
    assert tools([unbuilt], "ffmpeg", "clang++", "cmake") == {"ffmpeg": "ok", "compiler": "ok", "cmake": "ok"}
    (tmp_path / "lib.so").touch()
    assert tools([unbuilt], "ffmpeg") == {"ffmpeg": "ok", "compiler": "ok", "cmake": "ok"}


@pytest.mark.parametrize(
    ("threads", "host", "state"),
    [
        (6, {"cores": 8, "cgroup_cpus": None}, "ok"),
        (6, {"cores": 8, "cgroup_cpus": 2.0}, "note"),
        (6, {"cores": 2}, "note"),
        (6, {"cores": None}, "ok"),
        (1, {"cores": 4, "cgroup_cpus": 0.5}, "ok"),
    ],
)
def test_threads_are_held_against_the_cores_there_are(threads: int, host: dict[str, Any], state: str) -> None:
    (found,) = look_at_cores([model(threads=threads)], host)
    assert found.state == state
    assert ("INFERENCE_THREADS=2" in found.hint) is (state == "note")


def test_spinning_threads_are_named_unless_told_to_wait_quietly() -> None:
    (spinning,) = look_at_cores([model(threads=6, env={"OMP_WAIT_POLICY": "active"})], {"cores": 2})
    (quiet,) = look_at_cores([model(threads=6)], {"cores": 2})
    assert "spinning" in spinning.found
    assert "spinning" not in quiet.found


@pytest.mark.parametrize(
    ("largest", "host", "state"),
    [
        (GIB, {"memory_available_bytes": 8 * GIB}, "ok"),
        (GIB, {"memory_available_bytes": 8 * GIB, "cgroup_memory_bytes": 2 * GIB}, "note"),
        (GIB, {"memory_available_bytes": GIB - 1}, "problem"),
        (0, {"memory_available_bytes": 8 * GIB}, "ok"),
        (GIB, {}, "ok"),
    ],
)
def test_memory_is_held_against_the_largest_model(largest: int, host: dict[str, Any], state: str) -> None:
    (found,) = look_at_memory([largest // 2, largest], host)
    assert found.state == state


@pytest.mark.parametrize(
    ("missing", "mode", "state", "words"),
    [
        ({}, "strict", "ok", "strict, files"),
        ({"strict": "knows other machines"}, "files", "ok", "files (Landlock"),
        ({"strict": "knows other machines"}, "strict", "problem", 'asr-small has sandbox = "strict"'),
        ({"strict": "needs Landlock", "files": "needs Landlock"}, "off", "note", "none: it needs Landlock"),
        ({"strict": "needs Landlock", "files": "needs Landlock"}, "files", "problem", "needs Landlock"),
        ({}, None, "ok", "asr-small: strict"),
        (
            {"strict": "needs Landlock", "files": "needs Landlock"},
            None,
            "note",
            "unconfined: strict, their default",
        ),
        ({"strict": "knows other machines"}, None, "note", "asr-small run unconfined"),
    ],
)
def test_a_sandbox_that_cannot_be_had_is_a_problem_of_who_asks(
    monkeypatch: pytest.MonkeyPatch, missing: dict[str, str], mode: str | None, state: str, words: str
) -> None:
    def why(wanted: str) -> str:
        return missing.get(wanted, "")

    monkeypatch.setattr(machine, "why_not", why)
    found = look_at_sandbox([model(engine="function"), model(sandbox=mode)])
    assert found.state == state
    assert words in found.found


@pytest.mark.parametrize(
    ("host", "state", "words"),
    [
        ({}, "ok", "not told"),
        ({"swap_total_bytes": 0, "swap_free_bytes": 0}, "ok", "none"),
        ({"swap_total_bytes": 4 * GIB, "swap_free_bytes": 3 * GIB}, "ok", "1 GiB used"),
        ({"swap_total_bytes": 4 * GIB, "swap_free_bytes": GIB}, "note", "times suffer"),
    ],
)
def test_swap(host: dict[str, Any], state: str, words: str) -> None:
    found = look_at_swap(host)
    assert found.state == state
    assert words in found.found


@pytest.mark.parametrize(
    ("heap", "state"),
    [(Heap(live=1, source="mallinfo2"), "ok"), (Heap(off="allocator replaced"), "note"), (None, "problem")],
)
def test_the_allocator(heap: Heap | None, state: str) -> None:
    answers = Answers()
    answers.heap = heap
    assert look_at_heap(answers).state == state


def test_packages_are_looked_for_and_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    found = {finding.subject: finding for finding in look_at_packages()}
    assert set(found) == {"moonshine-voice", "pocketsphinx", "faster-whisper"}
    assert {finding.state for finding in found.values()} == {"note"}
    assert all(finding.hint.startswith("pip install") for finding in found.values())


def test_one_model_under_two_profiles_is_asked_about_once_and_another_is_another() -> None:
    assert identity(model(file="a")) == identity(model(file="a", threads=3))
    assert identity(model(file="a")) != identity(model(file="b"))


# ---------------------------------------------------------------- results


def test_a_results_folder_that_is_not_there_yet_is_judged_by_what_is_above_it(tmp_path: Path) -> None:
    (found,) = look_at_results(tmp_path / "not/yet")
    assert found.state in {"ok", "note"}
    assert found.facts["free_bytes"] > 0


@pytest.mark.parametrize(
    ("free", "state"), [(50 * 1024**2, "problem"), (500 * 1024**2, "note"), (50 * GIB, "ok")]
)
def test_room_on_the_disk(free: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        pass

    usage = Usage()
    usage.free = free  # type: ignore[attr-defined]
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert look_at_results(tmp_path)[0].state == state


def test_a_folder_of_somebody_else_is_named_with_the_user_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    (found,) = look_at_results(tmp_path / "results")
    assert found.state == "problem"
    owner = tmp_path.stat()
    assert f"belongs to user {owner.st_uid}, this is user {owner.st_uid + 1}" in found.found
    assert f"docker run --user {owner.st_uid}:{owner.st_gid}" in found.found


def test_a_file_in_the_folders_place_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "results").touch(mode=0o777)
    (found,) = look_at_results(tmp_path / "results")
    assert found.state == "problem"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("qwen3-asr-0.6b-q4_0.bin", "Qwen/Qwen3-ASR-0.6B"),
        ("qwen3-asr-1.7b-q8_0.bin", "Qwen/Qwen3-ASR-1.7B"),
        ("qwen3-forced-aligner-0.6b-q4_0.bin", "Qwen/Qwen3-ForcedAligner-0.6B"),
    ],
)
def test_the_commands_that_make_a_model_can_be_typed_as_they_stand(
    name: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my study"
    wanted = model("chatllm", file=str(folder / "models" / name))
    said = [
        found.hint for found in look_at_models([wanted], HashCache(tmp_path), hash_files=False, folder=folder)
    ]
    words = shlex.split(said[0])
    assert words[:3] == ["cd", str(folder), "&&"]
    assert words[words.index("download") + 1] == source
    weights = words[words.index("--local-dir") + 1]
    assert words[words.index("-i") + 1] == weights == f"models/{source.partition('/')[2]}"
    assert words[-1] == f"models/{name}"
    folder.mkdir()
    monkeypatch.chdir(folder)
    here = look_at_models([wanted], HashCache(tmp_path), hash_files=False, folder=folder)
    assert here[0].hint == said[0].partition(" && ")[2]

"""``orchestrator doctor``: ready or not, for people and for programs, with and without a file."""

import contextlib
import json
import os
import pty
import subprocess
from typing import Any

import pytest
from lab import REPOSITORY, Finished, Lab, synthetic

from doubles import Doubles


def findings(finished: Finished, profile: str) -> dict[str, dict[str, Any]]:
    document = json.loads(finished.out)
    part = next(part for part in document["profiles"] if part["name"] == profile)
    shared = document["shared"]
    return {f"{one['area']}: {one['subject']}": one for one in [*shared, *part["findings"]]}


def qwen3(lab: Lab, doubles: Doubles, *, destroy: bool = True) -> dict[str, str]:
    """Lay out a user's folder: the repository's experiments.toml, a built checkout, models, samples."""
    lab.file.write_bytes((REPOSITORY / "experiments.toml").read_bytes())
    checkout = doubles.checkout(lab.folder, destroy=destroy)
    (lab.folder / "samples").mkdir()
    for name in ("jfk.wav", "jfk.txt", "phone-en.wav", "phone-en.txt", "samples.json"):
        (lab.folder / "samples" / name).write_bytes((REPOSITORY / "samples" / name).read_bytes())
    for end in ("wav", "txt"):
        source = (REPOSITORY / f"samples/phone-en.{end}").read_bytes()
        (lab.folder / f"samples/phoneNumber1-zh-TW.{end}").write_bytes(source)
    return checkout.environment


def test_a_file_whose_models_need_nothing_is_ready(lab: Lab) -> None:
    lab.write(
        {"name": "one", "iterations": 1, "steps": [{"task": "asr", "model": "small", "sample": "tone"}]}
    )
    done = lab.run("doctor", lab.file)
    assert done.code == 0
    assert done.err == ""
    assert done.out.splitlines()[-1] == "ready: profile lab can run everything (lab: the only profile)"
    assert "Profile lab: ready" in done.out
    assert "\x1b" not in done.out
    assert "as shipped" not in done.out


def test_everything_of_qwen3_is_there(lab: Lab, doubles: Doubles) -> None:
    env = qwen3(lab, doubles)
    done = lab.run("doctor", "--json", "--hash", env=env)
    assert done.code == 0, done.out
    document = json.loads(done.out)
    assert (document["ready"], document["chosen"]) == (True, "qwen3")
    found = findings(done, "qwen3")
    assert found["library: libchatllm.so"]["facts"]["destroy"] is True
    assert {found[f"models: {role}"]["state"] for role in ("asr-small", "asr-large", "aligner")} == {"ok"}
    assert len(found["models: asr-small"]["facts"]["sha256"]) == 64
    could, _, start = found["engines: aligner"]["found"].partition("; ")
    assert could == "chatllm could load it: asr, align"
    assert start == "a pool starts it warm" or start.startswith("not started warm: ")
    assert found["samples: jfk"]["facts"]["state"] == "as shipped"
    assert found["tools: ffmpeg"]["found"] == str(lab.folder / "bin/ffmpeg")
    assert found["machine: heap"]["state"] in {"ok", "note"}


def test_an_old_build_is_ready_and_noted(lab: Lab, doubles: Doubles) -> None:
    env = qwen3(lab, doubles, destroy=False)
    done = lab.run("doctor", "--json", "--profile", "qwen3", env=env)
    assert done.code == 0, done.out
    assert findings(done, "qwen3")["library: destroy"]["state"] == "note"


def test_a_library_that_cannot_be_loaded_is_found_without_loading_it_here(lab: Lab, doubles: Doubles) -> None:
    env = qwen3(lab, doubles)
    for library in (lab.folder / "chatllm.cpp/build/lib").iterdir():
        library.unlink()
    done = lab.run("doctor", "--profile", "qwen3", "--json", env=env)
    assert done.code == 1
    found = findings(done, "qwen3")
    assert found["library: libchatllm.so"]["state"] == "ok"
    assert found["engines: asr-small"]["state"] == "problem"
    assert "libggml" in found["engines: asr-small"]["found"]


def test_each_problem_comes_with_the_command_that_mends_it(lab: Lab) -> None:
    lab.file.write_bytes((REPOSITORY / "experiments.toml").read_bytes())
    done = lab.run("doctor", "--profile", "qwen3", "--json")
    assert done.code == 1
    problems = {name: one for name, one in findings(done, "qwen3").items() if one["state"] == "problem"}
    assert {"library: libchatllm.so", "models: asr-small", "models: asr-large", "models: aligner"} < set(
        problems
    )
    assert all(one["hint"] for one in problems.values())
    plain = lab.run("doctor", "--profile", "qwen3")
    assert plain.code == 1
    assert "to mend it: git clone --recursive https://github.com/foldl/chatllm.cpp && cmake" in plain.out
    assert plain.out.splitlines()[-1].startswith("not ready: profile qwen3 has ")


def test_without_a_file_it_looks_at_what_a_new_folder_would_have(lab: Lab) -> None:
    done = lab.run("doctor", "--json")
    found = findings(done, "embedded")
    assert found["file: experiments.toml"]["state"] == "note"
    assert found["file: experiments.toml"]["hint"] == "orchestrator init"
    assert found["samples: jfk"]["state"] == "ok"
    assert not lab.file.exists()
    assert not lab.results.exists()


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        ("schema = 1\n[[experiments]]\n", (), "$.experiments: unknown key"),
        ("schema = \n", (), "not TOML"),
        (None, ("gone.toml",), "there is no such file"),
        (None, ("--profile", "quen3"), 'did you mean "qwen3"'),
    ],
)
def test_a_wrong_file_or_profile_is_exit_2(
    content: str | None, arguments: tuple[str, ...], words: str, lab: Lab
) -> None:
    if content is not None:
        lab.file.write_text(content)
    done = lab.run("doctor", *arguments)
    assert done.code == 2
    assert words in done.err
    assert done.out == ""


def test_a_wrong_variable_is_exit_2_as_for_a_run(lab: Lab) -> None:
    done = lab.run("doctor", env={"INFERENCE_THREADS": "many"})
    assert done.code == 2
    assert "INFERENCE_THREADS" in done.err


def test_an_engine_that_ends_the_process_is_a_finding(lab: Lab) -> None:
    (lab.folder / "deadly_engine.py").write_text(DEADLY)
    info = lab.folder / "deadly_engine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[orchestrator.engines]\ndeadly = deadly_engine:DeadlyEngine\n")
    steps = [{"task": "asr", "model": name, "sample": "tone"} for name in ("bad", "small")]
    lab.write(
        {"name": "one", "methods": ["recreate"], "steps": steps},
        models={"bad": {"engine": "deadly"}, "small": synthetic()},
    )
    done = lab.run("doctor", "--json")
    assert done.code == 1, done.err
    found = findings(done, "lab")
    assert found["engines: bad"]["state"] == "problem"
    assert "died of SIGABRT" in found["engines: bad"]["found"]
    assert found["engines: small"]["state"] == "ok"


DEADLY = """
import os
from orchestrator_worker.engines.base import Engine
class DeadlyEngine(Engine):
    name = "deadly"
    tasks = ("asr",)
    def load(self, model): return {}
    def run(self, job, emit): raise AssertionError
    def unload(self): pass
    @classmethod
    def check(cls, model): os.abort()
"""


def test_on_a_terminal_it_is_a_table(lab: Lab) -> None:
    lab.write({"name": "one", "steps": [{"task": "asr", "model": "small", "sample": "tone"}]})
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        lab.command("doctor", lab.file),
        cwd=lab.folder,
        env={**lab.environment(), "TERM": "xterm-256color", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with (
        open(ours, "rb", buffering=0) as terminal,
        contextlib.suppress(OSError),
    ):  # EIO: the last writer has gone
        while block := terminal.read(65536):
            shown += block
    assert process.wait(60) == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "┃" in text
    assert "experiments.toml" in text

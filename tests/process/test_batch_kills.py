"""A batch is killed before or after each of its steps, and the next start finishes it: each output once and whole."""

from __future__ import annotations

import signal
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from orchestrator.batch import BatchSettings, find_inputs, open_journal

RECORDINGS = 4
STEPS = (
    "journal.Journal.claim",
    "journal.Journal.began",
    "batch.stage",
    "journal.Journal.writing",
    "outputs.os.rename",
    "batch.put_in_place",
    "journal.Journal.done",
)
CHILD = """
import functools, importlib, os, signal, sys
from pathlib import Path

import msgspec
from orchestrator.batch import Batch, BatchSettings, find_inputs, open_journal, recover
from orchestrator.pipeline import Pipeline, Segment

folder, when, step, number = Path(sys.argv[1]), *sys.argv[2:5]


def fatal(function, calls=iter(range(1, 1000))):
    @functools.wraps(function)
    def patched(*arguments, **named):
        mine = next(calls) == int(number)
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if mine and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return patched


if when != "never":
    module, *owners, name = step.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(f"orchestrator.batch.{module}"))
    setattr(owner, name, fatal(getattr(owner, name)))


def hear(document, work):
    text = work.recording.sha256
    return msgspec.structs.replace(document, segments=[Segment(0, 5, text, text)])


class Watcher:
    def ended(self, entry, document, reason):
        assert document is not None, reason

    def tried(self, entry, reason):
        raise AssertionError(reason)


settings = BatchSettings(folder=folder / "out", formats=("txt", "json"), ahead=1)
with open_journal(settings.folder) as journal:
    journal.register(find_inputs([str(folder / "in")]))
    recover(journal, settings)
    pipeline = Pipeline([hear], pool=None)
    Batch(journal, lambda entry: pipeline, settings, Watcher()).run()
"""


def run(folder: Path, when: str = "never", step: str = "", number: int = 0) -> int:
    command = [sys.executable, "-W", "error", "-c", CHILD, str(folder), when, step, str(number)]
    done = subprocess.run(command, capture_output=True, timeout=100)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in {".txt", ".json"}}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(RECORDINGS):
        with wave.open(str(tmp_path / "in" / f"{number}.wav"), "wb") as file:
            file.setparams(
                (2, 2, 8_000, 0, "NONE", "not compressed")
            )  # converted, so that copies are left behind
            file.writeframes(bytes([number + 1]) * 320)
    return tmp_path


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_next_start_finishes(prepared: Path, step: str, when: str) -> None:
    out = prepared / "out"
    assert run(prepared, when, step, 3) == -signal.SIGKILL
    there = {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.name in contents(out)}
    assert run(prepared) == 0
    made = contents(out)
    assert len(made) == 2 * RECORDINGS
    assert len(set(made.values())) == 2 * RECORDINGS
    assert {name: (out / name).stat().st_mtime_ns for name in there} == there, "an output was written again"
    assert not [
        path for path in out.iterdir() if path.name.endswith(".tmp") or path.name.startswith(".convert")
    ]
    with open_journal(BatchSettings(folder=out).folder) as journal:
        assert journal.register(find_inputs([str(prepared / "in")])) == 0
        assert journal.counts().done == RECORDINGS
        assert {entry.attempts for entry in journal.entries()} == {1}

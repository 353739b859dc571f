"""The language heard or asked for reaches every model of a command: those of a pool, and those of an experiment."""

from __future__ import annotations

import json

import pytest
from chatllm_workspace import DIGITS, SPOKEN, Workspace
from lab import Lab

from doubles import Doubles

pytestmark = pytest.mark.timeout(300)
IN_CHINESE = "--set language Chinese"


@pytest.fixture
def workspace(lab: Lab, doubles: Doubles) -> Workspace:
    return Workspace(lab, doubles.checkout(lab.folder))


def hear_the_phone_in_exp5(workspace: Workspace) -> None:
    """The recogniser hears Chinese; the aligner is started for English by the file."""
    before, exp5 = workspace.lab.file.read_text().split('name = "exp5"')
    assert exp5.count('sample = "jfk"') == 2
    workspace.lab.file.write_text(
        f'{before}name = "exp5"' + exp5.replace('sample = "jfk"', 'sample = "phone"')
    )


def test_an_experiment_aligns_in_the_language_that_was_heard(workspace: Workspace) -> None:
    hear_the_phone_in_exp5(workspace)
    done = workspace.run("--iterations", "2", "--only", "exp5")
    assert done.code == 0, done.err
    entries = workspace.result("exp5")["iterations"]
    assert [entry["method"] for entry in entries] == ["recreate"] * 2 + ["recycle"] * 2
    for entry in entries:
        heard, placed = entry["steps"]
        assert heard["text"] == DIGITS
        assert [word["text"] for word in placed["words"]] == list(DIGITS)
        assert placed["warnings"] == []
        assert IN_CHINESE in " ".join(placed["facts"]["argv"])
        assert IN_CHINESE not in " ".join(heard["facts"]["argv"])


def test_an_experiment_is_told_the_language(workspace: Workspace) -> None:
    double = "language_shows=1"
    arguments = ("--iterations", "1", "--only", "exp5", "--methods", "recycle", "--language", "zh-TW")
    done = workspace.run(*arguments, double=double)
    assert done.code == 0, done.err
    for entry in workspace.result("exp5")["iterations"]:
        heard, placed = entry["steps"]
        assert heard["text"] == f"{SPOKEN} [Chinese]"
        for step in (heard, placed):
            assert IN_CHINESE in " ".join(step["facts"]["argv"])


def test_a_reference_is_aligned_as_it_is_written(workspace: Workspace) -> None:
    (workspace.lab.folder / "samples/jfk.txt").write_text("今日は晴れ")
    done = workspace.run("--iterations", "2", "--only", "exp4")
    assert done.code == 0, done.err
    for entry in workspace.result("exp4")["iterations"]:
        (step,) = entry["steps"]
        assert [word["text"] for word in step["words"]] == list("今日は晴れ")
        assert step["warnings"] == []


@pytest.mark.parametrize(
    ("language", "sample", "heard", "words"),
    [
        ("Chinese", "jfk", f"{SPOKEN} [Chinese]", None),
        ("zh", "phoneNumber1-zh-TW", f"{DIGITS} [Chinese]", list(DIGITS)),
        (None, "phoneNumber1-zh-TW", f"{DIGITS} [auto]", list(DIGITS)),
        ("German", "jfk", f"{SPOKEN} [German]", [*SPOKEN.split(), "[German]"]),
    ],
)
def test_transcribe_tells_both_models_the_language(
    workspace: Workspace, language: str | None, sample: str, heard: str, words: list[str] | None
) -> None:
    said = [] if language is None else ["--language", language]
    done = workspace.lab.run(
        "transcribe",
        f"samples/{sample}.wav",
        *said,
        *("--format", "json", "--profile", "qwen3", "--chinese", "off", "--workers", "1"),
        env={**workspace.env, "CHATLLM_DOUBLE": "language_shows=1"},
    )
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert "".join(segment["text"] for segment in document["segments"]) == heard
    placed = [word["text"] for segment in document["segments"] for word in segment["words"]]
    if words is not None:
        assert placed[: len(words)] == words
    assert "without blanks" not in done.err

"""Subtitles in several formats, and rendered again from JSON, as a user runs it."""

from __future__ import annotations

import json
import re

import pytest
from lab import Lab, experiment, synthetic

STEPS = [{"task": "asr", "model": "asr-small", "sample": "tone"}]
TEXT = "One two, and three four. Five six seven eight nine ten eleven twelve!"


@pytest.fixture
def prepared(lab: Lab) -> Lab:
    models = {"asr-small": synthetic(text=TEXT), "aligner": {"engine": "synthetic"}}
    lab.write(experiment("any", steps=STEPS), models=models)
    return lab


def test_several_formats_come_from_one_run_and_again_from_json(prepared: Lab) -> None:
    flags = ("--max-line-width", "20", "--max-lines", "1", "--highlight-words")
    done = prepared.run(
        "transcribe", "tone.wav", "--format", "all", "--out", "o/talk.srt", *flags, "--profile", "lab"
    )
    assert done.code == 0, done.err
    written = {path.suffix: path.read_text() for path in (prepared.folder / "o").iterdir()}
    assert set(written) == {".txt", ".json", ".srt", ".vtt", ".tsv"}
    assert json.loads(written[".json"])["alignment"]["share"] == 1.0
    lines = [line for line in written[".srt"].splitlines() if re.match("[A-Z a-z]", line)]
    assert max(map(len, lines)) <= 20
    assert "<00:00:0" in written[".vtt"]
    again = prepared.run("subtitles", "o/talk.json", "--format", "all", "--out", "again/talk.vtt", *flags)
    assert again.code == 0, again.err
    for path in (prepared.folder / "again").iterdir():
        assert path.read_text() == written[path.suffix]
    assert prepared.run("subtitles", "o/talk.json", *flags).out == written[".srt"]


def test_what_is_no_document_is_said_in_a_sentence(prepared: Lab) -> None:
    cases = {
        "list.json": "[1, 2]",
        "cut.json": '{"source": "x", "duration_ms"',
        "early.json": json.dumps(
            {"source": "x", "duration_ms": 1, "language": None, "text": "", "words": []}
            | {"segments": [{"start_ms": 5, "end_ms": -1, "text": "a", "heard": "a"}]}
        ),
        "deep.json": "[" * 100_000,
    }
    for name, content in cases.items():
        (prepared.folder / name).write_text(content)
        done = prepared.run("subtitles", name)
        assert done.code == 2, name
        assert "Traceback" not in done.err
        assert "no document" in " ".join(done.err.replace("│", " ").split())
    assert prepared.run("subtitles", "missing.json").code == 2
    assert prepared.run("subtitles", "list.json", "--format", "ass").code == 2


def test_several_formats_need_a_place(prepared: Lab) -> None:
    done = prepared.run("transcribe", "tone.wav", "--format", "srt,json", "--profile", "lab")
    assert done.code == 2
    assert "need --out" in " ".join(done.err.replace("│", " ").split())

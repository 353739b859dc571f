"""What engines say against their own results reaches people: on stderr, in the document, in a batch's journal."""

from __future__ import annotations

import json

import pytest
from lab import Lab, experiment, synthetic

from orchestrator.batch import open_journal

STEPS = [{"task": "asr", "model": "asr-small", "sample": "tone"}]
FULL = "the context is full after 4096 tokens"


def prepare(lab: Lab, asr: dict[str, object], aligner: dict[str, object]) -> None:
    lab.write(
        experiment("any", steps=STEPS),
        models={"asr-small": synthetic(**asr), "aligner": synthetic(**aligner)},
    )


def test_a_warning_is_on_stderr_and_in_the_document(lab: Lab) -> None:
    prepare(lab, {"text": "one two", "warning": FULL}, {})
    done = lab.run("transcribe", "tone.wav", "-f", "json", "--profile", "lab", "--workers", "1")
    assert done.code == 0
    assert f"(asr-small): {FULL}" in done.err
    assert [each["text"] for each in json.loads(done.out)["warnings"]] == [FULL]


def test_a_recording_that_gave_nothing_but_a_warning_has_not_worked(lab: Lab) -> None:
    prepare(lab, {"text": "", "warning": FULL}, {})
    done = lab.run("transcribe", "tone.wav", "--out", "tone.json", "--profile", "lab", "--workers", "1")
    assert done.code == 1
    assert FULL in done.err
    assert "nothing was heard" not in done.err
    assert json.loads((lab.folder / "tone.json").read_text())["segments"] == []


@pytest.mark.parametrize("words_from_ms", [336_000, -40])
def test_times_that_cannot_be_are_said_and_are_in_no_subtitle(lab: Lab, words_from_ms: float) -> None:
    prepare(lab, {"text": "one two"}, {"words_from_ms": words_from_ms})
    done = lab.run("transcribe", "tone.wav", "--out", "tone.srt", "--profile", "lab", "--workers", "1")
    assert done.code == 0
    assert "error, 0:00 to 0:00 (aligner): its times cannot be" in done.err
    written = (lab.folder / "tone.srt").read_text()
    assert "one two" in written
    assert written.count("00:00:00,") == 2 * written.count("-->")


def test_a_batch_keeps_warnings_in_its_journal(lab: Lab) -> None:
    prepare(lab, {"text": "one two", "warning": FULL}, {})
    done = lab.run("batch", "tone.wav", "--out", "texts", "--profile", "lab", "--workers", "1", "--json")
    assert done.code == 0
    assert FULL in done.err
    assert "1 with warnings" in done.log[-1]
    assert FULL in json.loads(done.out.splitlines()[0])["warnings"][0]
    with open_journal(lab.folder / "texts") as journal:
        (entry,) = journal.entries()
    assert [FULL in line for line in entry.warnings] == [True]

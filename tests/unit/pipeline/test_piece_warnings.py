"""What engines say against their own results, and times that cannot be: into the document, never lost."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pipeline_fakes import FakePool, alignment, transcription

from orchestrator.pipeline import AlignWords, Document, PieceWarning, Pipeline, Recognize, Segment, render
from orchestrator.pipeline.piece_warnings import impossible_times, told
from orchestrator.pool.jobs import EngineJob
from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.protocol import Alignment, Phone, Plain, Transcript, Word
from orchestrator_worker.whole_times import has_whole_times, with_whole_times

NAN, INFINITE = float("nan"), float("inf")
LENGTH_MS = 2000


def recording(folder: Path) -> Path:
    path = folder / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\x01\x00" * (16 * LENGTH_MS))
    return path


def made_by(folder: Path, answer: Any) -> Document:
    pipeline = Pipeline(
        [Recognize("asr"), AlignWords("aligner")], FakePool(answer), cache_dir=folder / "cache"
    )
    return pipeline.run(recording(folder))


def timed(*times: tuple[Any, Any]) -> list[Word]:
    return [Word(f"word{number}", start, end) for number, (start, end) in enumerate(times)]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([(0, 500), (500, 500), (500, 2000)], ""),
        ([(0, 900), (500, 2900)], ""),  # heard words may overlap, and a recogniser pads what it hears
        ([(0, 100), (336_000, 336_200)], "lies outside the piece"),
        ([(1900, 3100)], "lies outside the piece"),
        ([(-1, 100)], "is no stretch of time"),
        ([(200, 100)], "is no stretch of time"),
        ([(NAN, 100)], "is no stretch of time"),
        ([(0, NAN)], "is no stretch of time"),
        ([(0, INFINITE)], "lies outside the piece"),
        ([(500, 600), (400, 700)], "starts before the word before it"),
    ],
)
def test_times_are_possible_or_said_why_not(times: list[tuple[Any, Any]], words: str) -> None:
    said = impossible_times(timed(*times), LENGTH_MS)
    assert (words in said) if words else not said


def test_warnings_of_every_step_are_in_the_document_and_its_json(tmp_path: Path) -> None:
    def answer(job: EngineJob) -> Any:
        found = transcription("one two") if job.task == "asr" else alignment(job.text or "")
        return msgspec.structs.replace(found, warnings=[f"said by {job.task}"])

    document = made_by(tmp_path, answer)
    assert document.warnings == [
        PieceWarning(0, LENGTH_MS, "asr", "said by asr"),
        PieceWarning(0, LENGTH_MS, "aligner", "said by align"),
    ]
    assert [each["text"] for each in json.loads(render(document, "json"))["warnings"]] == [
        "said by asr",
        "said by align",
    ]


def test_a_piece_without_text_does_not_lose_its_warning(tmp_path: Path) -> None:
    def answer(_: EngineJob) -> Any:
        return msgspec.structs.replace(transcription(""), warnings=["the context is full"])

    document = made_by(tmp_path, answer)
    assert document.segments == []
    assert [each.text for each in document.warnings] == ["the context is full"]
    assert document.notes == ["no text came of it: see the warnings"]


@pytest.mark.parametrize("step", ["asr", "align"])
@pytest.mark.parametrize("start", [336_000, -5, NAN])
def test_impossible_times_are_an_error_of_the_piece_and_no_output(
    tmp_path: Path, step: str, start: float
) -> None:
    strange: Any = start

    def answer(job: EngineJob) -> Any:
        bad = [Word("one", strange, strange + 100)]
        if job.task == "asr":
            return transcription("one two", words=bad if step == "asr" else [])
        found = alignment(job.text or "")
        return msgspec.structs.replace(found, words=bad) if step == "align" else found

    document = made_by(tmp_path, answer)
    assert [each.kind for each in document.warnings] == ["error"]
    assert document.text == "one two"
    assert all(0 <= word.start_ms <= word.end_ms <= LENGTH_MS for word in document.words)
    assert "00:05:36" not in render(document, "srt")


def test_a_last_word_that_ends_late_ends_with_its_piece(tmp_path: Path) -> None:
    def answer(job: EngineJob) -> Any:
        late = [Word("one", 0, 500), Word("two", 1500, LENGTH_MS + 400)]
        if job.task == "asr":
            return transcription("one two")
        return msgspec.structs.replace(alignment("one two"), words=late)

    document = made_by(tmp_path, answer)
    assert document.words[-1].end_ms == LENGTH_MS
    assert not document.warnings


def test_the_same_sentence_of_many_pieces_is_one_line() -> None:
    warnings = [PieceWarning(at, at + 30_000, "asr", "the file is cut off") for at in (0, 30_000, 3_600_000)]
    warnings.append(PieceWarning(3_630_000, 3_660_000, "asr", "its times cannot be", "error"))
    assert told(warnings) == [
        "warning, 0:00 to 0:30 and 2 more pieces (asr): the file is cut off",
        "error, 1:00:30 to 1:01:00 (asr): its times cannot be",
    ]


def test_times_cross_the_wire_as_whole_milliseconds() -> None:
    given: Any = 10.6
    rounded = with_whole_times(Alignment(timed((given, 20)), [Phone("a", given, 20, 0)]))
    assert isinstance(rounded, Alignment)
    assert (rounded.words[0].start_ms, rounded.phones[0].start_ms) == (11, 11)
    assert has_whole_times(rounded)
    assert not has_whole_times(Alignment(timed((given, 20))))
    assert has_whole_times(Plain(NAN))


def test_a_transcript_keeps_its_text_where_its_times_are_no_numbers() -> None:
    found = with_whole_times(Transcript("one", words=timed((NAN, 20))))
    assert isinstance(found, Transcript)
    assert (found.text, found.words) == ("one", [])
    assert "nan, which is no number of milliseconds" in found.warnings[0]


def test_an_alignment_without_times_is_an_error() -> None:
    with pytest.raises(EngineError, match=r"a time of 'word0' is nan"):
        with_whole_times(Alignment(timed((0, NAN))))


def test_segments_of_a_document_need_no_warnings() -> None:
    assert Document("a.wav", 10, [Segment(0, 10, "a", "a")]).warnings == []

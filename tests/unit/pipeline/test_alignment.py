"""Every word gets a time, whatever an aligner says; a given text is divided over the pieces of a recording."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline_fakes import TIMINGS, WORKER, FakePool, alignment, transcription
from test_pipeline import cut_at, wav

from orchestrator.errors import Attempt, EngineUnavailableError, JobError, JobPoisonedError, PoolClosedError
from orchestrator.pipeline import AlignWords, Document, GivenText, Recording, Segment, Work
from orchestrator.pipeline.alignment.anchors import divide
from orchestrator.pipeline.alignment.summary import sentence, summary
from orchestrator.pipeline.alignment.word_times import EDGE_MS, all_timed
from orchestrator.pool.jobs import EngineJob
from orchestrator.pool.results import AlignmentResult
from orchestrator_worker.protocol import Word


def nobody(recording: Recording, check: Callable[[], None] | None = None) -> tuple[tuple[int, int], ...]:
    """Stands in for the detector: it is not installed."""
    return ()


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    monkeypatch.setattr(Recording, "speech", nobody)
    return Recording(wav(tmp_path / "talk.wav", 12.0), tmp_path / "cache")


def heard(*texts: str) -> Document:
    pieces = [
        Segment(1000 * number, 1000 * number + 1000, text, text, "en") for number, text in enumerate(texts)
    ]
    return Document("talk.wav", 4000, pieces)


def aligned(recording: Recording, document: Document, answer: Callable[[EngineJob], Any]) -> Document:
    return AlignWords("aligner")(document, Work(recording, FakePool(answer)))


# ----------------------------------------------------------------- a failure costs a piece


def test_a_piece_that_cannot_be_aligned_is_interpolated_and_the_others_are_not(recording: Recording) -> None:
    def answer(job: EngineJob) -> Any:
        if job.text == "three four":
            raise JobError("EngineError", "the text does not fit the audio")
        return alignment(job.text or "")

    document = aligned(recording, heard("one two", "three four", "five"), answer)
    timings = [(word.text, word.timing) for word in document.words]
    assert timings == [
        ("one", None),
        ("two", None),
        ("three", "interpolated"),
        ("four", "interpolated"),
        ("five", None),
    ]
    assert all(1000 <= word.start_ms <= word.end_ms <= 2000 for word in document.segments[1].words)
    (warning,) = document.warnings
    assert (warning.start_ms, warning.kind) == (1000, "error")
    assert "does not fit" in warning.text
    assert document.notes == ["aligned 60 % of 5 words: 2 interpolated"]
    assert document.alignment is not None
    assert (document.alignment.aligned, document.alignment.interpolated) == (3, 2)


def test_all_of_it_aligned_is_no_news(recording: Recording) -> None:
    document = aligned(recording, heard("one two"), lambda job: alignment(job.text or ""))
    assert document.notes == []
    assert document.alignment is not None
    assert document.alignment.share == 1.0


def poisoned() -> JobPoisonedError:
    attempt = Attempt(
        1, cause="SIGSEGV", reason="crash", run_s=0.1, stderr_tail="", slot=0, generation=1, pid=1
    )
    return JobPoisonedError([attempt])


def test_a_piece_whose_worker_dies_is_tried_once_more(recording: Recording) -> None:
    asked: list[str] = []

    def answer(job: EngineJob) -> Any:
        asked.append(job.text or "")
        if asked.count("two") == 1 and job.text == "two":
            raise poisoned()
        return alignment(job.text or "")

    document = aligned(recording, heard("one", "two", "three"), answer)
    assert [word.timing for word in document.words] == [None, None, None]
    assert sorted(asked) == ["one", "three", "two", "two"]


def test_an_aligner_that_always_dies_is_given_up(recording: Recording) -> None:
    asked: list[str] = []

    def answer(job: EngineJob) -> Any:
        asked.append(job.text or "")
        raise poisoned()

    document = aligned(recording, heard(*(f"word{number}" for number in range(10))), answer)
    assert {word.timing for word in document.words} == {"interpolated"}
    assert len(document.words) == 10
    assert len(asked) == 13


@pytest.mark.parametrize("error", [EngineUnavailableError("no aligner", "get it"), PoolClosedError("closed")])
def test_what_every_piece_would_meet_is_raised(recording: Recording, error: Exception) -> None:
    def answer(job: EngineJob) -> Any:
        raise error

    with pytest.raises(type(error)):
        aligned(recording, heard("one"), answer)


def test_an_error_that_ends_the_work_cancels_the_other_pieces(recording: Recording) -> None:
    pool = FakePool(lambda job: alignment(job.text or ""), hold=True)
    step = AlignWords("aligner", ends_on=lambda error: isinstance(error, JobError))
    errors: list[BaseException] = []

    def run() -> None:
        try:
            step(heard("one", "two"), Work(recording, pool))
        except JobError as error:
            errors.append(error)  # kept, and with its traceback all that its frames hold

    thread = threading.Thread(target=run)
    thread.start()
    while len(pool.held) < 2:
        assert pool.submitted.wait(60)
    pool.held[0][1].set_exception(JobError("EngineError", "it has no such language"))
    thread.join(60)
    assert len(errors) == 1
    assert all(future.done() for _, future in pool.held)


@pytest.mark.parametrize(
    "words",
    [
        [Word("one", 336_000, 336_500), Word("two", 336_500, 337_000)],
        [Word("one", 500, 400), Word("two", 500, 600)],
        [Word("one", 500, 600), Word("two", 100, 200)],
        [Word("one", -500, 600), Word("two", 100, 200)],
    ],
)
def test_times_that_cannot_be_are_interpolated_and_said(recording: Recording, words: list[Word]) -> None:
    document = aligned(
        recording, heard("one two"), lambda job: AlignmentResult(words, [], [], TIMINGS, WORKER)
    )
    assert [word.timing for word in document.words] == ["interpolated", "interpolated"]
    assert all(0 <= word.start_ms <= word.end_ms <= 1000 for word in document.words)
    assert "cannot be" in document.warnings[0].text


# ----------------------------------------------------------------- where somebody speaks


def test_a_word_ends_where_the_speech_does() -> None:
    words = [Word("my", 1_200, 1_500), Word("Americans.", 1_630, 3_250), Word("Ask", 3_250, 3_900)]
    segment = Segment(1_000, 4_000, "my Americans. Ask", "", "en", speech=[(1_200, 2_100), (3_300, 4_000)])
    timed = all_timed(segment, words).words
    assert [(word.start_ms, word.end_ms) for word in timed] == [
        (1_200, 1_500),
        (1_630, 2_100 + EDGE_MS),
        (3_300 - EDGE_MS, 3_900),
    ]


def test_a_word_that_the_detector_missed_stays() -> None:
    segment = Segment(0, 4_000, "one two", "", "en", speech=[(0, 500)])
    timed = all_timed(segment, [Word("one", 0, 400), Word("two", 2_000, 2_300)]).words
    assert timed[1] == Word("two", 2_000, 2_300)


def test_a_stretched_word_is_no_longer_than_a_slow_one() -> None:
    segment = Segment(0, 30_000, "one two three", "", "en")
    words = [Word("one", 0, 9_000), Word("two", 9_000, 9_300), Word("three", 9_300, 29_300)]
    first, _, last = all_timed(segment, words).words
    assert (first.start_ms, first.end_ms) == (7_600, 9_000)
    assert (last.start_ms, last.end_ms) == (9_300, 11_100)


def test_words_that_were_not_found_lie_in_the_speech_between() -> None:
    segment = Segment(0, 10_000, "one lost words two", "", "en", speech=[(0, 1_000), (5_000, 10_000)])
    words = [Word("one", 0, 900), Word("two", 9_000, 9_500)]
    timed = all_timed(segment, words).words
    assert [word.text for word in timed] == ["one", "lost", "words", "two"]
    assert all(word.timing == "interpolated" and word.start_ms >= 5_000 for word in timed[1:3])


def test_a_text_longer_than_anybody_can_say_ends_where_the_room_does() -> None:
    text = " ".join(f"w{number}" for number in range(1000))
    timed = all_timed(Segment(0, 3_000, text, text, "en"), [Word("w0", 0, 600)])
    assert len(timed.words) + len(timed.skipped) == 1000
    assert timed.text.split() == [word.text for word in timed.words]
    assert timed.words[-1].end_ms <= 3_000
    counts = summary([timed])
    assert counts.skipped == len(timed.skipped) > 900
    assert sentence(counts).startswith("aligned 0 % of 1000 words")


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.sampled_from(["so", "C++", "$3.50", "№", "—", "😀", "你好", "ไทย", "don't", "1,234"]), max_size=25
    ),
    st.data(),
)
def test_words_are_complete_in_order_and_inside_whatever_is_found(
    texts: list[str], data: st.DataObject
) -> None:
    times = st.integers(-2_000, 9_000)
    words = [
        Word(text, data.draw(times), data.draw(times), data.draw(st.sampled_from([None, "interpolated"])))
        for text in texts
        if data.draw(st.booleans())
    ]
    edges = sorted(data.draw(st.lists(st.integers(0, 5_000), max_size=6)))
    speech = list(zip(edges[::2], edges[1::2], strict=False))
    segment = Segment(1_000, 5_000, " ".join(texts), "", "en", speech=speech)
    timed = all_timed(segment, words)
    moments = [moment for word in timed.words for moment in (word.start_ms, word.end_ms)]
    assert moments == sorted(moments)
    assert all(1_000 <= moment <= 5_000 for moment in moments)
    letters = "".join(
        c for text in [*(word.text for word in timed.words), *timed.skipped] for c in text if c.isalnum()
    )
    assert sorted(letters) == sorted(c for text in texts for c in text if c.isalnum())


# ----------------------------------------------------------------- a given text over many pieces

TEXT = (
    "It was the best of times, it was the worst of times. It was the age of wisdom, it was the age of foolishness. "
    "We had everything before us; we had nothing before us."
)
PIECES = [
    "It was the best of times, it was the worst of times.",
    "It was the age of wisdom, it was the age of foolishness.",
    "We had everything before us; we had nothing before us.",
]


def test_a_text_is_divided_as_it_was_heard() -> None:
    said = [
        "it was the best of times it was the first of times",
        "it was the edge of wisdom it was age of fullness",
        "we add everything before-us we had nothing before",
    ]
    division = divide(TEXT, said, [1000, 1000, 1000])
    assert division.pieces == PIECES
    assert division.unsaid == []


def test_what_nobody_says_is_left_out_of_the_pieces() -> None:
    preface = (
        "This is a long preface that somebody has written, and that nobody reads aloud in the recording. "
    )
    division = divide(preface + TEXT + " " + preface, [one.lower() for one in PIECES], [1, 1, 1])
    assert all(whole in piece for whole, piece in zip(PIECES, division.pieces, strict=True))
    assert len(" ".join(division.pieces).split()) <= len(TEXT.split()) + 4
    assert [part.split()[0] for part in division.unsaid] == ["This", "a"]


def test_another_text_is_divided_by_length() -> None:
    division = divide("alpha beta gamma delta epsilon zeta", PIECES[:2], [1000, 2000])
    assert division.pieces == ["alpha beta", "gamma delta epsilon zeta"]
    assert division.fits == 0.0


def test_a_piece_in_which_nothing_was_heard_gets_what_lies_between() -> None:
    division = divide(TEXT, [PIECES[0], "", PIECES[2]], [4000, 4000, 4000])
    assert " ".join(division.pieces) == TEXT
    assert division.pieces[0].startswith("It was the best")
    assert division.pieces[2].endswith("nothing before us.")


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g"]), max_size=60),
    st.lists(
        st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g"]), max_size=20), min_size=1, max_size=4
    ),
)
def test_no_word_of_a_text_is_lost_and_its_order_holds(text: list[str], said: list[list[str]]) -> None:
    division = divide(" ".join(text), [" ".join(one) for one in said], [1000] * len(said))
    assert len(division.pieces) == len(said)
    assert sorted(" ".join([*division.pieces, *division.unsaid]).split()) == sorted(text)
    if not division.unsaid:
        assert " ".join(division.pieces).split() == text


def test_a_long_recording_is_aligned_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recording, "speech", nobody)
    monkeypatch.setattr(Recording, "cut", cut_at((0, 20_000), (21_000, 40_000), (40_000, 59_000)))
    recording = Recording(wav(tmp_path / "long.wav", 60.0), tmp_path / "cache")
    said = iter(PIECES)
    pool = FakePool(lambda job: transcription(next(said)) if job.task == "asr" else alignment(job.text or ""))
    work = Work(recording, pool)
    document = GivenText(f"\ufeff{TEXT}", model="small")(Document.of(recording), work)
    assert [segment.text for segment in document.segments] == PIECES
    document = AlignWords("aligner")(document, work)
    assert [job.text for job in pool.jobs if job.task == "align"] == PIECES
    assert document.segments[1].words[0].start_ms == 21_000


def test_without_a_recogniser_a_text_is_divided_by_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recording, "cut", cut_at((0, 30_000), (30_000, 60_000)))
    recording = Recording(wav(tmp_path / "long.wav", 60.0), tmp_path / "cache")
    document = GivenText("one two three four")(
        Document.of(recording), Work(recording, FakePool(lambda job: alignment(job.text or "")))
    )
    assert [segment.text for segment in document.segments] == ["one two", "three four"]
    assert "by the length" in document.notes[0]


def test_a_recogniser_that_is_missing_costs_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recording, "cut", cut_at((0, 30_000), (30_000, 60_000)))
    recording = Recording(wav(tmp_path / "long.wav", 60.0), tmp_path / "cache")

    def answer(job: EngineJob) -> Any:
        raise EngineUnavailableError("moonshine is not installed", "install it")

    work = Work(recording, FakePool(answer))
    document = GivenText("one two three four", model="small")(Document.of(recording), work)
    assert document.text == "one two three four"
    assert "moonshine is not installed" in document.notes[0]


def test_times_run_forward_over_pieces(recording: Recording) -> None:
    document = aligned(
        recording, heard("one two", "three", "four five"), lambda job: alignment(job.text or "")
    )
    assert all(left.end_ms <= right.start_ms for left, right in pairwise(document.words))

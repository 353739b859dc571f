from __future__ import annotations

import asyncio
import threading
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import FakePool, alignment, transcription

from orchestrator.errors import AudioError, JobCancelledError, JobError
from orchestrator.pipeline import (
    AlignWords,
    AsyncPipeline,
    Document,
    PartialText,
    Pipeline,
    Recognize,
    Recording,
    Rewrite,
    Segment,
    Work,
    WriteChinese,
)
from orchestrator.pipeline.recording import AudioPiece
from orchestrator.pipeline.subtitles.tokens import tokens
from orchestrator.pipeline.work import JOBS_AHEAD
from orchestrator.pool.jobs import AudioArray, EngineJob, Job
from orchestrator_worker.protocol import Word

RATE_HZ = 16_000


def wav(path: Path, seconds: float = 1.0) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(b"\x01\x00" * int(seconds * RATE_HZ))
    return path


def answer(job: EngineJob) -> Any:
    return transcription("one two") if job.task == "asr" else alignment(job.text or "")


def cut_at(*edges: tuple[int, int], in_speech: bool = False) -> Callable[..., Iterator[AudioPiece]]:
    """Stands in for the detector: recordings that are cut at these times."""

    def cut(recording: Recording, *_: object) -> Iterator[AudioPiece]:
        for start, end in edges:
            yield AudioPiece(start, end, recording.part(start, end).audio, in_speech)

    return cut


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(wav(tmp_path / "talk.wav", 4.0), tmp_path / "cache")


def test_a_short_recording_goes_to_the_engine_whole(tmp_path: Path) -> None:
    path = wav(tmp_path / "talk.wav")
    pool = FakePool(answer)
    document = Pipeline([Recognize("small")], pool, cache_dir=tmp_path).run(path)
    assert [job.audio for job in pool.jobs] == [str(path)]
    assert document == Document(str(path), 1000, [Segment(0, 1000, "one two", "one two", "en")])


def test_aligned_words_come_after_the_text_and_count_from_the_recordings_start(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recording, "cut", cut_at((0, 1000), (2000, 3000)))
    pool = FakePool(answer)
    work = Work(recording, pool)
    heard = Recognize("small")(Document.of(recording), work)
    document = AlignWords("aligner")(heard, work)
    assert [job.task for job in pool.jobs] == ["asr", "asr", "align", "align"]
    assert document.segments[1].words == [Word("one", 2000, 2090), Word("two", 2100, 2190)]
    assert document.text == "one two one two"


def test_a_piece_is_the_samples_of_its_part(recording: Recording) -> None:
    part = recording.part(1000, 1500)
    assert isinstance(part.audio, AudioArray)
    assert len(part.audio.samples) == RATE_HZ // 2
    assert recording.part(0, 4000).audio == recording.whole().audio


def test_pieces_in_which_nothing_was_heard_have_no_segment(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recording, "cut", cut_at((0, 1000), (1000, 2000), (2000, 3000)))
    texts = iter(["first", "  ", "third"])
    pool = FakePool(lambda job: transcription(next(texts)))
    document = Recognize("small")(Document.of(recording), Work(recording, pool))
    assert [(segment.start_ms, segment.text) for segment in document.segments] == [
        (0, "first"),
        (2000, "third"),
    ]


def test_a_recording_in_which_nobody_speaks_says_so(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recording, "cut", cut_at())
    document = Recognize("small")(Document.of(recording), Work(recording, FakePool(answer)))
    assert document.segments == []
    assert document.notes == ["nothing was heard"]


def test_a_cut_inside_speech_is_said(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recording, "cut", cut_at((0, 1000), (1000, 2000), in_speech=True))
    document = Recognize("small")(Document.of(recording), Work(recording, FakePool(answer)))
    assert document.notes == ["a cut at 1.0 s lies within speech: nobody paused for 60 s"]


def test_the_engines_own_word_times_are_kept(recording: Recording) -> None:
    pool = FakePool(lambda job: transcription("one", words=[Word("one", 10, 20)]))
    document = Recognize("small")(Document.of(recording), Work(recording, pool))
    assert document.words == [Word("one", 10, 20)]


@pytest.mark.parametrize(
    ("language", "heard", "zh_tw", "text"),
    [
        ("Chinese", "电话是零九零零", "電話是零九零零", "電話是0900"),
        (None, "电话是零九零零", "電話是零九零零", "電話是0900"),
        ("ja", "電話は零九零零", None, "電話は零九零零"),
        ("en", "zero nine", None, "zero nine"),
    ],
)
def test_chinese_is_rewritten_and_every_form_kept(
    recording: Recording, language: str | None, heard: str, zh_tw: str | None, text: str
) -> None:
    document = Document("x", 1, [Segment(0, 1, heard, heard, language)])
    (segment,) = WriteChinese()(document, Work(recording, FakePool(answer))).segments
    assert (segment.heard, segment.zh_tw, segment.text) == (heard, zh_tw, text)


def test_words_keep_their_times_when_chinese_is_rewritten(recording: Recording) -> None:
    heard = [Word(text, 100 * place, 100 * place + 90) for place, text in enumerate("内存用了三十五")]
    document = Document("x", 900, [Segment(0, 900, "内存用了三十五。", "内存用了三十五。", "zh", heard)])
    (segment,) = WriteChinese()(document, Work(recording, FakePool(answer))).segments
    assert segment.words == [
        Word("記憶體", 0, 190),
        Word("用", 200, 290),
        Word("了", 300, 390),
        Word("35", 400, 690),
    ]
    assert [(token.text, token.start_ms) for token in tokens(segment)] == [
        ("記憶體", 0),
        ("用", 200),
        ("了", 300),
        ("35。", 400),
    ]


def test_digits_alone_can_be_had(recording: Recording) -> None:
    document = Document("x", 1, [Segment(0, 1, "电话是零九零零", "", "zh")])
    (segment,) = WriteChinese("itn")(document, Work(recording, FakePool(answer))).segments
    assert (segment.zh_tw, segment.text) == (None, "电话是0900")


def test_jobs_are_pulled_lazily(recording: Recording) -> None:
    pool = FakePool(answer, hold=True)
    pulled = 0

    def jobs() -> Iterator[EngineJob]:
        nonlocal pulled
        for _ in range(100):
            pulled += 1
            yield EngineJob("m", "asr")

    waiting = Work(recording, pool).results(jobs())
    reader = threading.Thread(target=lambda: next(waiting), daemon=True)
    reader.start()
    assert pool.submitted.wait(60)
    pool.release()
    reader.join(60)
    assert pulled <= JOBS_AHEAD + 1


def test_text_is_told_in_order_of_time(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recording, "cut", cut_at((0, 1000), (2000, 3000)))
    told: list[PartialText] = []
    work = Work(recording, FakePool(answer), on_text=told.append)
    Recognize("small")(Document.of(recording), work)
    assert [(one.start_ms, one.chunk.text, one.done) for one in told] == [
        (0, "one ", False),
        (0, "two ", False),
        (0, "one two", True),
        (2000, "one ", False),
        (2000, "two ", False),
        (2000, "one two", True),
    ]


def test_an_error_of_a_job_ends_the_recording_and_cancels_the_rest(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recording, "cut", cut_at((0, 1000), (1000, 2000), (2000, 3000)))
    pool = FakePool(answer, hold=True)
    work = Work(recording, pool)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            Recognize("small")(Document.of(recording), work)
        except JobError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while len(pool.held) < 3:
        assert pool.submitted.wait(60)
    pool.held[0][1].set_exception(JobError("ValueError", "bad audio"))
    thread.join(60)
    assert len(errors) == 1
    assert all(future.done() for _, future in pool.held)


def test_a_step_that_leaves_its_jobs_open_leaves_none_under_way(recording: Recording) -> None:
    """Its iterator lives for as long as somebody keeps the error: the traceback holds it."""
    pool = FakePool(answer)

    def jobs() -> Iterator[EngineJob]:
        for _ in range(3):
            yield EngineJob("m", "asr")
            pool.hold = True  # from the second on they stay unanswered

    def step(_: Document, work: Work) -> Document:
        results = work.results(jobs())
        next(results)
        raise ValueError("a bug of the step")

    pipeline = Pipeline([step], pool)
    with pytest.raises(ValueError, match="a bug") as kept:
        pipeline.finish(Work(recording, pool))
    assert len(pool.held) == 2
    assert all(future.done() for _, future in pool.held), kept


def test_cancelling_stops_the_job_that_is_waited_for(recording: Recording) -> None:
    pool = FakePool(answer, hold=True)
    work = Work(recording, pool)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            Recognize("small")(Document.of(recording), work)
        except JobCancelledError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert pool.submitted.wait(60)
    while not errors and thread.is_alive():
        work.cancel()
        thread.join(0.01)
    assert len(errors) == 1


def test_many_recordings_come_in_order_and_an_error_can_take_the_place_of_one(tmp_path: Path) -> None:
    paths = [wav(tmp_path / f"{number}.wav", 0.5 + number / 10) for number in range(6)]
    paths.insert(3, tmp_path / "missing.wav")
    pipeline = Pipeline([Recognize("small")], FakePool(answer), cache_dir=tmp_path)
    found = list(pipeline.map(paths, ahead=2, errors="return"))
    assert isinstance(found[3], AudioError)
    assert [one.source for one in found if isinstance(one, Document)] == [
        str(path) for path in paths if path.exists()
    ]


def test_the_first_error_of_many_is_raised_by_default(tmp_path: Path) -> None:
    pipeline = Pipeline([Recognize("small")], FakePool(answer), cache_dir=tmp_path)
    with pytest.raises(AudioError, match="there is no such file"):
        list(pipeline.map([tmp_path / "missing.wav"]))


def test_a_function_of_ones_own_is_a_step(tmp_path: Path) -> None:
    def shout(document: Document, work: Work) -> Document:
        return Rewrite(str.upper)(document, work)

    pipeline = Pipeline([Recognize("small"), shout], FakePool(answer), cache_dir=tmp_path)
    assert pipeline.run(wav(tmp_path / "talk.wav")).text == "ONE TWO"


def test_a_pipeline_without_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        Pipeline([], FakePool(answer))


def test_segments_join_with_a_space_but_not_between_chinese() -> None:
    pieces = [Segment(0, 1, text, text) for text in ("One.", "two", "你好", "世界", "three")]
    assert Document("x", 1, pieces).text == "One. two 你好世界 three"


# ----------------------------------------------------------------- asyncio


def test_asyncio_gets_text_while_it_comes_and_the_document_last(tmp_path: Path) -> None:
    pipeline = AsyncPipeline(
        Pipeline([Recognize("small"), AlignWords("a")], FakePool(answer), cache_dir=tmp_path)
    )
    path = wav(tmp_path / "talk.wav")

    async def main() -> list[PartialText | Document]:
        return [one async for one in pipeline.stream(path)]

    *told, document = asyncio.run(main())
    assert [one.chunk.text for one in told if isinstance(one, PartialText)] == ["one ", "two ", "one two"]
    assert isinstance(document, Document)
    assert [word.text for word in document.words] == ["one", "two"]


def test_cancelling_the_task_stops_the_jobs(tmp_path: Path) -> None:
    pool = FakePool(answer, hold=True)
    pipeline = AsyncPipeline(Pipeline([Recognize("small")], pool, cache_dir=tmp_path))
    path = wav(tmp_path / "talk.wav")

    async def main() -> None:
        task = asyncio.create_task(pipeline.run(path))
        await asyncio.to_thread(pool.submitted.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert all(future.done() for _, future in pool.held)


def test_an_error_reaches_the_awaiting_task(tmp_path: Path) -> None:
    pipeline = AsyncPipeline(Pipeline([Recognize("small")], FakePool(answer), cache_dir=tmp_path))
    with pytest.raises(AudioError):
        asyncio.run(pipeline.run(tmp_path / "missing.wav"))


def test_leaving_map_early_stops_what_is_under_way(tmp_path: Path) -> None:
    class FirstFails(FakePool):
        def submit(self, job: Job, *, timeout_s: float | None = None) -> Future[Any]:
            assert isinstance(job, EngineJob)
            if Path(str(job.audio)).stem != "a":
                return super().submit(job, timeout_s=timeout_s)
            assert self.submitted.wait(60), "the second recording never came"
            failed: Future[Any] = Future()
            failed.set_exception(JobError("ValueError", "no"))
            return failed

    pool = FirstFails(answer, hold=True)
    pipeline = Pipeline([Recognize("small")], pool, cache_dir=tmp_path)
    with pytest.raises(JobError):
        next(pipeline.map([wav(tmp_path / f"{name}.wav") for name in "abcd"], ahead=2))
    assert len(pool.held) >= 1
    assert all(future.done() for _, future in pool.held)


def test_map_refuses_another_way_with_errors(tmp_path: Path) -> None:
    pipeline = Pipeline([Recognize("small")], FakePool(lambda job: None), cache_dir=tmp_path)
    with pytest.raises(ValueError, match="'raise' or 'return'"):
        pipeline.map([], errors="ignore")  # type: ignore[arg-type]

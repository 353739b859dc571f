"""chatllm in several languages: the library reads one when it starts, so each has an instance of the model."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from chatllm_bench import Bench

from doubles import write_audio
from orchestrator.errors import JobError
from orchestrator.pipeline import AlignWords, GivenText, Pipeline, Recognize
from orchestrator.pool.jobs import Align, Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle

pytestmark = pytest.mark.usefixtures("nothing_left")
DIGITS = "零九零零零七三三三一"


@pytest.fixture
def speech(bench: Bench) -> Path:
    write_audio(bench.folder / "speech.wav", 3.0)
    return bench.folder / "speech.wav"


@pytest.fixture
def pool(bench: Bench) -> Iterator[Pool]:
    with Pool(models=models(bench), workers=2, cache_dir=bench.folder / "cache") as made:
        yield made


def models(bench: Bench) -> list[Model]:
    answers = bench.folder / "answers.txt"
    answers.write_text(f"3\tOne two.\n4\t{DIGITS}\n")
    env = {**bench.env, "CHATLLM_DOUBLE": "language_shows=1", "CHATLLM_DOUBLE_ANSWERS": str(answers)}
    asr, aligner = bench.checkout.model, bench.checkout.aligner
    common = {"engine": "chatllm", "library": bench.checkout.library, "env": env}
    return [
        Model(name="asr", file=asr, language="auto", **common),
        Model(name="aligner", file=aligner, language="English", format="json", **common),
    ]


def test_the_language_of_a_job_reaches_the_model_that_hears(pool: Pool, speech: Path) -> None:
    said = {
        language: pool.run(Transcribe("asr", speech, language)).text for language in (None, "zh-TW", "de")
    }
    assert said == {None: "One two. [auto]", "zh-TW": "One two. [Chinese]", "de": "One two. [German]"}
    again = [pool.run(Transcribe("asr", speech, name)) for name in ("Chinese", "german", "zh")]
    assert [heard.text for heard in again] == [
        "One two. [Chinese]",
        "One two. [German]",
        "One two. [Chinese]",
    ]
    names = {stats.model for stats in pool.stats().models}
    assert {"asr", "asr (Chinese)", "asr (German)"} <= names


def test_jobs_of_one_language_go_to_the_worker_that_was_started_for_it(pool: Pool, speech: Path) -> None:
    first = [pool.run(Transcribe("asr", speech, language)).worker.pid for language in ("zh", "en")]
    second = [pool.run(Transcribe("asr", speech, language)).worker.pid for language in ("zh", "en")]
    assert first == second
    assert first[0] != first[1]


@pytest.mark.parametrize(
    ("text", "language", "text_language", "words"),
    [
        (DIGITS, None, None, list(DIGITS)),  # by its script
        (DIGITS, "zh", None, list(DIGITS)),
        (DIGITS, None, "Chinese", list(DIGITS)),
        ("今日は hello 晴れ", None, None, ["今", "日", "は", "hello", "晴", "れ"]),
        ("And so", None, "English", ["And", "so"]),
        ("And so", "auto", None, ["And", "so"]),
        ("한국어 낱말", None, "ko", ["한국어", "낱말"]),
    ],
)
def test_words_are_those_of_the_texts_language(
    pool: Pool, speech: Path, text: str, language: str | None, text_language: str | None, words: list[str]
) -> None:
    job = Align(
        "aligner", speech, text, None if language == "auto" else language, text_language=text_language
    )
    found = pool.run(job)
    assert [word.text for word in found.words] == words
    assert found.warnings == []


def test_a_language_that_nobody_knows_starts_nothing(pool: Pool, speech: Path) -> None:
    with pytest.raises(JobError, match="not Klingon"):
        pool.run(Transcribe("asr", speech, "Klingon"))
    assert {stats.model for stats in pool.stats().models if "(" in stats.model} == set()


def test_first_jobs_of_a_language_from_many_threads_share_one_instance(pool: Pool, speech: Path) -> None:
    def job(_: int) -> str:
        return pool.run(Transcribe("asr", speech, "fr")).text

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(job, range(16))) == {"One two. [French]"}
    assert [stats.model for stats in pool.stats().models].count("asr (French)") == 1


def test_one_worker_serves_all_languages_in_turn(bench: Bench, speech: Path) -> None:
    with Pool(models=models(bench), workers=1, cache_dir=bench.folder / "cache") as pool:
        texts = [pool.run(Transcribe("asr", speech, language)).text for language in ("zh", None, "zh")]
    assert texts == ["One two. [Chinese]", "One two. [auto]", "One two. [Chinese]"]


def test_an_instance_is_recycled_as_its_model_is(bench: Bench, speech: Path) -> None:
    recycle = Recycle(models={"asr": Recycle(max_jobs=1, jitter=0.0)})
    with Pool(models=models(bench), recycle=recycle, cache_dir=bench.folder / "cache") as pool:
        pids = {pool.run(Transcribe("asr", speech, "zh")).worker.pid for _ in range(3)}
        assert len(pids) == 3


def test_what_was_heard_reaches_the_model_that_aligns(bench: Bench, pool: Pool) -> None:
    """The recogniser hears Chinese in one recording and English in the other; the aligner is English by itself."""
    pipeline = Pipeline([Recognize("asr"), AlignWords("aligner")], pool)
    write_audio(bench.folder / "chinese.wav", 4.0)
    (segment,) = pipeline.run(bench.folder / "chinese.wav").segments
    assert segment.language == "Chinese"
    assert [word.text for word in segment.words][: len(DIGITS)] == list(DIGITS)
    write_audio(bench.folder / "english.wav", 3.0)
    (segment,) = pipeline.run(bench.folder / "english.wav").segments
    assert [word.text for word in segment.words] == ["One", "two.", "[auto]"]


def test_a_given_text_is_aligned_in_its_language(bench: Bench, pool: Pool, speech: Path) -> None:
    pipeline = Pipeline([GivenText(DIGITS, "zh"), AlignWords("aligner", "zh")], pool)
    (segment,) = pipeline.run(speech).segments
    assert [word.text for word in segment.words] == list(DIGITS)

"""What languages are called, how a text without blanks is known, and which instance of a model gets a job."""

import pytest

from orchestrator.pool.jobs import Align, EngineJob, Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.submission.language_models import LanguageModels
from orchestrator.pool.submission.payload import Payload
from orchestrator_worker.engines.chatllm.windows import units_of
from orchestrator_worker.language_names import language_name, language_of_script

AUDIO = "speech.wav"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("And so, my fellow Americans", None),
        ("零九零零", "Chinese"),
        ("我用 Python 写 code", "Chinese"),
        ("I said 你好 to him", None),
        ("今日は晴れ", "Japanese"),
        ("これは pen です", "Japanese"),
        ("한국어는 낱말을 띄어 쓴다", None),
        ("… 2024!", None),
        ("", None),
    ],
)
def test_a_script_without_blanks_tells_the_language(text: str, language: str | None) -> None:
    assert language_of_script(text) == language


@pytest.mark.parametrize(
    ("said", "name"),
    [("zh-TW", "Chinese"), ("YUE", "Cantonese"), ("english", "English"), ("auto", "auto"), (" ", None)],
)
def test_languages_go_by_their_english_names(said: str, name: str | None) -> None:
    assert language_name(said) == name


def model(language: str | None, engine: str = "chatllm") -> Model:
    return Model(name="model", engine=engine, language=language)


@pytest.mark.parametrize(
    ("job", "has", "started_for"),
    [
        (Transcribe("model", AUDIO), "auto", None),
        (Transcribe("model", AUDIO, "zh"), "auto", "Chinese"),
        (Transcribe("model", AUDIO, "zh"), "Chinese", None),
        (Transcribe("model", AUDIO, "auto"), "Chinese", "auto"),
        (Transcribe("model", AUDIO, "Klingon"), "auto", None),
        (Align("model", AUDIO, "And so"), "English", None),
        (Align("model", AUDIO, "And so", text_language="de"), "English", "German"),
        (Align("model", AUDIO, "And so", "fr", text_language="de"), "English", "French"),
        (Align("model", AUDIO, "零九"), "English", "Chinese"),
        (Align("model", AUDIO, "零九"), None, "Chinese"),
        (Align("model", AUDIO, "零九"), "Cantonese", None),
        (Align("model", AUDIO, "零九", "en"), "English", None),
        (Align("model", AUDIO, "And so", "auto"), "English", None),
    ],
)
def test_another_instance_is_started_where_the_language_is_another(
    job: EngineJob, has: str | None, started_for: str | None
) -> None:
    addressed = LanguageModels().addressed(Payload(1, "model", job.task, b"", None), job, model(has))
    assert addressed.model == ("model" if started_for is None else f"model ({started_for})")


@pytest.mark.parametrize(
    ("text", "language", "delimiter", "units"),
    [
        ("And so my", "English", None, ["And", " so", " my"]),
        ("他说 hello 世界。", "Chinese", None, ["他", "说", " hello", " 世", "界。"]),
        ("abc你好def", "Chinese", None, ["abc", "你", "好", "def"]),
        ("他说", "English", None, ["他说"]),
        ("one two|three", "English", "|", ["one two", "|three"]),
    ],
)
def test_words_are_split_as_the_aligner_splits_them(
    text: str, language: str, delimiter: str | None, units: list[str]
) -> None:
    assert units_of(text, language, delimiter) == units
    assert "".join(units) == text

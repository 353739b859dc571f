"""The texts of an iteration's steps, and the languages that their models are started for."""

from __future__ import annotations

import pytest

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Sample, Step
from orchestrator.experiments.running.step_texts import StepTexts
from orchestrator_worker.protocol import Transcript

CHINESE = "零九零零零七"


def step(
    task: str,
    text: str | None,
    *,
    language: str | None = "English",
    reference: str = "",
    engine: str = "chatllm",
) -> Step:
    sample = Sample("spoken", "spoken.wav", None, reference or None)
    return Step(task, BoundModel(name=task, label=task, engine=engine, language=language), sample, text)


def languages(texts: StepTexts) -> list[str | None]:
    return [draft.step.model.language for draft in texts.drafts]


@pytest.mark.parametrize(
    ("heard", "spoken", "started_for"),
    [
        ("Chinese", CHINESE, "Chinese"),
        ("zh-TW", "2024", "Chinese"),
        ("German", "ein Satz", "German"),
        ("English", "a sentence", "English"),
        (None, "ein Satz", "English"),
        (None, "今日は晴れ", "Japanese"),
        ("Klingon", "qapla", "English"),
        ("auto", "a sentence", "English"),
    ],
)
def test_what_was_heard_decides_how_the_aligner_is_started(
    heard: str | None, spoken: str, started_for: str
) -> None:
    texts = StepTexts([step("asr", None, language="auto"), step("align", "previous")], loads_each=True)
    assert languages(texts) == ["auto", "English"]
    texts.heard(Transcript(spoken, heard, [], []))
    assert languages(texts) == ["auto", started_for]
    assert texts.of(texts.drafts[1].step) == spoken


@pytest.mark.parametrize("loads_each", [True, False])
def test_a_text_written_down_decides_before_anything_starts(*, loads_each: bool) -> None:
    texts = StepTexts([step("align", "reference", reference=CHINESE)], loads_each=loads_each)
    assert languages(texts) == ["Chinese"]
    assert texts.of(texts.drafts[0].step) == CHINESE
    texts.heard(Transcript("else", "German", [], []))
    assert languages(texts) == ["Chinese"]


def test_what_was_said_in_the_file_stays_where_nothing_speaks_against_it() -> None:
    texts = StepTexts([step("align", "Une phrase", language="French")], loads_each=True)
    assert languages(texts) == ["French"]


def test_a_model_that_is_kept_over_its_steps_has_one_language() -> None:
    steps = [step("align", "a sentence"), step("align", CHINESE)]
    assert languages(StepTexts(steps, loads_each=False)) == ["English", "English"]
    assert languages(StepTexts(steps, loads_each=True)) == ["English", "Chinese"]


def test_a_model_that_is_loaded_already_is_not_told_otherwise() -> None:
    texts = StepTexts([step("asr", None), step("align", "previous")], loads_each=False)
    texts.heard(Transcript(CHINESE, "Chinese", [], []))
    assert languages(texts) == ["English", "English"]


def test_engines_that_hear_the_language_with_each_job_are_left_as_they_are() -> None:
    texts = StepTexts([step("align", CHINESE, engine="pocketsphinx")], loads_each=True)
    assert languages(texts) == ["English"]


def test_nothing_heard_is_no_text() -> None:
    texts = StepTexts([step("align", "previous")], loads_each=True)
    assert texts.of(texts.drafts[0].step) is None

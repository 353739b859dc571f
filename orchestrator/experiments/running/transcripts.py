"""What a step's transcript becomes, and how far it is from what was said."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.config.types import Step
from orchestrator.text.chinese import WrittenChinese, write_chinese
from orchestrator.text.metrics import Score, score
from orchestrator_worker.results import Transcript


def examine(step: Step, transcript: Transcript) -> tuple[WrittenChinese | None, Score | None]:
    """Return the final form of a Chinese transcript, and the score against the sample's reference.

    The language is what the engine found, else what the model was told. Chinese is compared in its final form, and
    the reference is brought into that form too: a difference of script or of digits is no error of hearing.
    """
    language = transcript.language or step.model.language
    chinese = write_chinese(transcript.text, language, step.model.chinese)
    reference = step.sample.reference if step.sample else None
    if not reference:
        return chinese, None
    if chinese is None:
        return None, score(reference, transcript.text)
    expected = write_chinese(reference, "zh", step.model.chinese)
    found = score(expected.itn if expected else reference, chinese.itn)
    rules = "numbers in digits" if chinese.zh_tw is None else "zh-TW, numbers in digits"
    return chinese, replace(found, normalization=f"{rules}, {found.normalization}")

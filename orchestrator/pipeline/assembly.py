"""The steps and models that commands and the server share: what makes a transcript, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from orchestrator.pipeline.alignment import AlignWords, FindSpeech
from orchestrator.pipeline.steps import Recognize, Step, WriteChinese
from orchestrator.pool.models import Model

if TYPE_CHECKING:
    from orchestrator.text.chinese import ChineseText

FOR_PIECES: Mapping[str, Mapping[str, Any]] = {"moonshine": {"vad_threshold": 0.0}}
"""Options of engines whose audio has been cut at silence already; what the file says wins.

Moonshine cuts once more, with a detector that goes on from where the job before ended: what it hears in a piece depends
on the piece before (often a "You" that nobody said), and so on kills and on recycled workers.
"""


def models_for_pieces(models: Iterable[Model]) -> list[Model]:
    """Return those of the models whose engines are told that they get pieces, told so."""
    return [
        replace(model, options={**FOR_PIECES[model.engine], **model.options})
        for model in models
        if model.engine in FOR_PIECES
    ]


def transcription_steps(
    model: str,
    language: str | None,
    *,
    aligner: str | None = None,
    times: bool = False,
    chinese: ChineseText = "zh-TW",
    options: Mapping[str, Any] | None = None,
) -> list[Step]:
    """Return the steps from audio to text and, with an ``aligner``, to the times of words; ``times``: of speech.

    The aligner gets what the recogniser wrote: it was trained on that, and numbers in digits do not say how they
    were spoken. Chinese is written as it is read after that, its words with it. ``options`` are the recogniser's.
    """
    timing: list[Step] = [FindSpeech()] if times else []
    return [
        Recognize(model, language, options=dict(options or {})),
        *([AlignWords(aligner, language)] if aligner is not None else timing),
        *([] if chinese == "off" else [WriteChinese(chinese)]),
    ]

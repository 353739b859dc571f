"""The order of the steps: the aligner gets the recogniser's own text, Chinese is written as it is read after that."""

from __future__ import annotations

from typing import Literal

import pytest

from orchestrator.cli.pipeline_setup import PipelineOptions, transcribing
from orchestrator.config.model import Model

MODELS = [Model(name=name, engine="synthetic") for name in ("asr-small", "aligner")]


@pytest.mark.parametrize(
    ("chinese", "words", "expected"),
    [
        ("zh-TW", True, ["Recognize", "AlignWords", "WriteChinese"]),
        ("itn", False, ["Recognize", "WriteChinese"]),
        ("off", True, ["Recognize", "AlignWords"]),
    ],
)
def test_steps(chinese: Literal["zh-TW", "itn", "off"], words: bool, expected: list[str]) -> None:
    steps = transcribing(PipelineOptions(chinese=chinese), MODELS, words=words)
    assert [type(step).__name__ for step in steps] == expected

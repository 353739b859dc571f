"""A small document that is right, and ways to make a wrong one of it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from resolved_plans import Resolved, Write

from orchestrator.config.load import load_file
from orchestrator.config.overrides import Overrides
from orchestrator.config.resolve import resolve
from orchestrator.config.types import Plan
from orchestrator.errors import ConfigError, ConfigProblem

RIGHT = """\
schema = 1
[profiles.qwen3.models.asr-small]
engine = "chatllm"
file = "models/small.bin"
[profiles.qwen3.models.aligner]
engine = "chatllm"
file = "models/aligner.bin"
[profiles.qwen3.samples.phone]
audio = "samples/phone.wav"
reference = "samples/phone.txt"
[profiles.embedded.models.asr-small]
engine = "moonshine"
[profiles.embedded.models.aligner]
engine = "pocketsphinx"
[profiles.embedded.samples.phone]
audio = "samples/phone.wav"
reference = "samples/phone.txt"
[[experiment]]
name = "one"
methods = ["recreate", "restart", "recycle"]
[[experiment.steps]]
task = "asr"
model = "asr-small"
sample = "phone"
[[experiment]]
name = "two"
[[experiment.steps]]
task = "asr"
model = "asr-small"
sample = "phone"
[[experiment.steps]]
task = "align"
model = "aligner"
sample = "phone"
text = "previous"
"""


@pytest.fixture
def right_text() -> str:
    return RIGHT


@pytest.fixture
def right() -> dict[str, Any]:
    return tomllib.loads(RIGHT)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        path = tmp_path / "experiments.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def problems_in(write: Callable[[str], Path]) -> Callable[[str], list[ConfigProblem]]:
    """What is wrong with a text; nothing, when it loads."""

    def problems(text: str) -> list[ConfigProblem]:
        path = write(text)
        try:
            load_file(path)
        except ConfigError as error:
            return list(error.problems)
        return []

    return problems


@pytest.fixture
def resolved(write: Write) -> Resolved:
    """Resolve a text under profile embedded, unless a profile is given."""

    def plan(text: str, environ: dict[str, str] | None = None, cores: int = 8, **flags: Any) -> Plan:
        path = write(text)
        overrides = Overrides(**{"profile": "embedded", **flags})
        return resolve(load_file(path), path, overrides, environ or {}, cores, exists=lambda _: False)

    return plan

"""What workers are confined to where nobody has said it: by engine, by device, by kernel."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.config.model import Model, SandboxMode
from orchestrator.errors import SandboxUnavailableError
from orchestrator.pool.pool import Pool
from orchestrator.process.sandbox import modes
from orchestrator.process.sandbox.modes import CONFINED_ENGINES, default_mode, mode_of, require_sandbox
from orchestrator_worker.engines.registry import BUILT_IN


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Take this kernel for one that cannot, for the reason given; none: for one that can."""
    modes._say.cache_clear()

    def is_lacking(reason: str) -> None:
        def why_not(mode: str) -> str:
            return reason

        monkeypatch.setattr(modes, "why_not", why_not)

    return is_lacking


def test_our_speech_engines_are_confined_and_no_other() -> None:
    assert {*BUILT_IN} - {"function", "synthetic", "synthetic-restart"} == CONFINED_ENGINES
    for engine in (*BUILT_IN, "somebody-elses"):
        model = Model(name="m", engine=engine)
        assert default_mode(model) == ("strict" if engine in CONFINED_ENGINES else "off")


@pytest.mark.parametrize(
    ("engine", "options", "mode"),
    [
        ("faster-whisper", {"device": "cpu"}, "strict"),
        ("faster-whisper", {"device": "cuda"}, "off"),
        ("chatllm", {"argv": ["--seed", "1"]}, "strict"),
        ("chatllm", {"argv": ["-ngl", "99"]}, "off"),
        ("chatllm", {"argv": ["--n_gpu_layers", "99"]}, "off"),
        ("chatllm", {"argv": "-ngl"}, "strict"),
    ],
)
def test_one_that_uses_a_graphics_processor_is_not(
    engine: str, options: dict[str, Any], mode: SandboxMode, kernel: Callable[[str], None]
) -> None:
    kernel("")
    assert mode_of(Model(name="m", engine=engine, options=options)) == mode
    assert mode_of(Model(name="m", engine=engine, options=options, sandbox="files")) == "files"


def test_on_a_kernel_that_cannot_the_default_is_off_and_said_once(
    kernel: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    kernel("needs Landlock, and this system has none")
    models = [Model(name=name, engine="pocketsphinx") for name in ("one", "two")]
    with caplog.at_level(logging.WARNING, "orchestrator.process"), Pool(models=models) as pool:
        assert [model.sandbox for model in pool.models] == ["off", "off", "off"]
    assert [record.getMessage() for record in caplog.records] == [
        'speech engines run unconfined: sandbox = "strict", their default, needs Landlock, and this system has none'
    ]


def test_who_asks_by_word_is_refused_there(kernel: Callable[[str], None]) -> None:
    kernel("needs Landlock, and this system has none")
    require_sandbox(
        [Model(name="m", engine="pocketsphinx"), Model(name="n", engine="moonshine", sandbox="off")]
    )
    with pytest.raises(SandboxUnavailableError, match=r"sandbox = .strict. of model 'm' needs Landlock"):
        require_sandbox([Model(name="m", engine="pocketsphinx", sandbox="strict")])

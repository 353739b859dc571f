"""Which profile is taken, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config.load import load_file
from orchestrator.config.profile import choose_profile
from orchestrator.errors import ConfigError

LIBRARY = "chatllm.cpp/bindings/libchatllm.so"
MODELS = ("models/small.bin", "models/aligner.bin")
Write = Callable[[str], Path]


def choose(
    path: Path, requested: str = "auto", there: tuple[str, ...] = (), **environ: str
) -> tuple[str, str]:
    present = {str(path.parent / name) for name in there}
    return choose_profile(load_file(path), path, requested, environ=environ, exists=present.__contains__)


@pytest.mark.parametrize(
    ("there", "chosen", "reason"),
    [
        ((LIBRARY, *MODELS), "qwen3", "qwen3: the library and 2 model files are there"),
        (MODELS, "embedded", f"embedded: qwen3 lacks {LIBRARY}"),
        ((LIBRARY, MODELS[0]), "embedded", "embedded: qwen3 lacks models/aligner.bin"),
        ((LIBRARY,), "embedded", "embedded: qwen3 lacks 2 model files"),
        ((), "embedded", f"embedded: qwen3 lacks {LIBRARY} and 2 model files"),
    ],
)
def test_auto(write: Write, right_text: str, there: tuple[str, ...], chosen: str, reason: str) -> None:
    assert choose(write(right_text), there=there) == (chosen, reason)


def test_the_variable_names_the_library(write: Write, right_text: str) -> None:
    path = write(right_text)
    other = str(path.parent / "other.so")
    assert choose(path, there=("other.so", *MODELS), CHATLLM_LIB=other)[0] == "qwen3"
    assert (
        choose(path, there=(LIBRARY, *MODELS), CHATLLM_LIB="/none/x.so")[1]
        == "embedded: qwen3 lacks /none/x.so"
    )
    assert choose(path, there=(LIBRARY, *MODELS), CHATLLM_LIB="")[0] == "qwen3"


def test_the_models_library_key(write: Write, right_text: str) -> None:
    text = right_text.replace('engine = "chatllm"', 'engine = "chatllm"\nlibrary = "lib/x.so"')
    assert choose(write(text), there=("lib/x.so", *MODELS))[0] == "qwen3"
    assert choose(write(text), there=(LIBRARY, *MODELS)) == ("embedded", "embedded: qwen3 lacks lib/x.so")


def test_samples_do_not_count(write: Write, right_text: str) -> None:
    assert choose(write(right_text), there=(LIBRARY, *MODELS))[0] == "qwen3"


def test_a_profile_asked_for_is_taken_whatever_is_missing(write: Write, right_text: str) -> None:
    assert choose(write(right_text), "qwen3") == ("qwen3", "qwen3: asked for")
    assert choose(write(right_text), "embedded", (LIBRARY, *MODELS)) == ("embedded", "embedded: asked for")


def test_an_unknown_profile(write: Write, right_text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(write(right_text), "qwen")
    assert caught.value.key_path == "--profile"
    assert 'no profile "qwen"' in str(caught.value)
    assert 'did you mean "qwen3"? allowed: auto, qwen3, embedded' in str(caught.value)


def test_no_profile_at_all(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"\$\.profiles: there is no profile"):
        choose(write("schema = 1\n"))


def test_other_names_of_profiles(write: Write, right_text: str) -> None:
    mine = right_text.replace("profiles.qwen3.", "profiles.mine.")
    assert choose(write(mine)) == ("embedded", "embedded: there is no profile qwen3")
    assert choose(write(mine.replace("profiles.embedded.", "profiles.other."))) == (
        "mine",
        "mine: there is no profile qwen3",
    )
    merged = 'schema = 1\n[profiles.mine.models.m]\nengine = "synthetic"\n'
    assert choose(write(merged)) == ("mine", "mine: the only profile")

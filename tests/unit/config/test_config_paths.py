"""Paths in the file count from the file; reference texts are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from resolved_plans import Resolved, Write, model_of, problems_of

from orchestrator.config.load import load_file
from orchestrator.config.overrides import Overrides
from orchestrator.config.resolve import resolve


def test_paths_count_from_the_file(right_text: str, resolved: Resolved, tmp_path: Path) -> None:
    text = right_text.replace('"models/small.bin"', '"../m/./small.bin"').replace(
        '"models/aligner.bin"', '"/m/a.bin"'
    )
    plan = resolved(text, profile="qwen3")
    assert model_of(plan).file == str(tmp_path.parent / "m/small.bin")
    assert model_of(plan, 1, 1).file == "/m/a.bin"
    assert plan.file == str(tmp_path / "experiments.toml")


def test_a_relative_path_of_the_file_itself(
    right_text: str, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(right_text)
    monkeypatch.chdir(tmp_path)
    plan = resolve(load_file(path.name), path.name, Overrides(profile="qwen3"), {}, 8)
    assert plan.file == str(path)
    assert model_of(plan).file == str(tmp_path / "models/small.bin")


@pytest.mark.parametrize(
    ("key", "environ", "expected"),
    [
        ("", {}, "chatllm.cpp/bindings/libchatllm.so"),
        ("lib/x.so", {}, "lib/x.so"),
        ("lib/x.so", {"CHATLLM_LIB": "/other/y.so"}, "/other/y.so"),
        ("lib/x.so", {"CHATLLM_LIB": ""}, "lib/x.so"),
    ],
)
def test_the_library_of_chatllm(
    right_text: str, resolved: Resolved, tmp_path: Path, key: str, environ: dict[str, str], expected: str
) -> None:
    said = f'\nlibrary = "{key}"' if key else ""
    text = right_text.replace('engine = "chatllm"', f'engine = "chatllm"{said}')
    assert model_of(resolved(text, environ, profile="qwen3")).library == str(tmp_path / expected)


def test_the_library_of_another_engine(right_text: str, resolved: Resolved, tmp_path: Path) -> None:
    text = right_text.replace('engine = "moonshine"', 'engine = "moonshine"\nlibrary = "x.so"')
    plan = resolved(text, {"CHATLLM_LIB": "/other/y.so"})
    assert model_of(plan).library == str(tmp_path / "x.so")


def test_references_are_read(right_text: str, resolved: Resolved, tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/phone.txt").write_text("\ufeff  zero nine\n", encoding="utf-8")
    sample = resolved(right_text).experiments[0].steps[0].sample
    assert sample is not None
    assert sample.reference == "zero nine"


def test_missing_samples_are_no_mistake_of_the_configuration(right_text: str, resolved: Resolved) -> None:
    sample = resolved(right_text).experiments[0].steps[0].sample
    assert sample is not None
    assert sample.reference is None
    assert sample.reference_file is not None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b" \n", "has no text"),
        (b"", "has no text"),
        (b"caf\xe9", "not UTF-8 (byte 3)"),
        (None, "cannot be read"),
    ],
)
def test_references_that_cannot_be_used(
    right_text: str, resolved: Resolved, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "samples/phone.txt"
    file.parent.mkdir()
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    [problem] = problems_of(lambda: resolved(right_text))
    assert problem.key_path == "$.profiles.embedded.samples.phone.reference"
    assert said in str(problem)
    assert str(file) in str(problem)

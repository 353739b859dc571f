"""What a model's keys come to: defaults, file, environment variables, flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from resolved_plans import Resolved, model_of, problems_of

from orchestrator.config.model import Model


@pytest.mark.parametrize(
    ("flag", "environ", "in_file", "cores", "threads", "lowered"),
    [
        (None, {}, None, 8, 6, False),
        (None, {}, None, 6, 6, False),
        (None, {}, None, 2, 2, True),
        (None, {}, None, 1, 1, True),
        (None, {}, 12, 2, 12, False),
        (None, {"INFERENCE_THREADS": "10"}, 12, 2, 10, False),
        (None, {"INFERENCE_THREADS": " "}, 12, 2, 12, False),
        (9, {"INFERENCE_THREADS": "10"}, 12, 2, 9, False),
        (9, {"INFERENCE_THREADS": "many"}, None, 2, 9, False),
        (6, {}, None, 2, 6, False),
    ],
)
def test_threads(
    right_text: str,
    resolved: Resolved,
    flag: int | None,
    environ: dict[str, str],
    in_file: int | None,
    cores: int,
    threads: int,
    lowered: bool,
) -> None:
    said = f"\nthreads = {in_file}" if in_file else ""
    text = right_text.replace('engine = "moonshine"', f'engine = "moonshine"{said}')
    model = model_of(resolved(text, environ, cores, threads=flag))
    assert model.threads == threads
    assert ("lowered from the default 6" in model.threads_note) is lowered
    assert (model.threads_note == "") is not lowered


@pytest.mark.parametrize(
    ("flag", "environ", "in_file", "expected"),
    [
        (None, {}, None, 4096),
        (None, {}, 512, 512),
        (None, {"CONTEXT_LENGTH": "1024"}, 512, 1024),
        (2048, {"CONTEXT_LENGTH": "1024"}, 512, 2048),
    ],
)
def test_context_length(
    right_text: str,
    resolved: Resolved,
    flag: int | None,
    environ: dict[str, str],
    in_file: int | None,
    expected: int,
) -> None:
    said = f"\ncontext_length = {in_file}" if in_file else ""
    text = right_text.replace('engine = "moonshine"', f'engine = "moonshine"{said}')
    assert model_of(resolved(text, environ, context_length=flag)).context_length == expected


@pytest.mark.parametrize(
    ("flag", "environ", "in_file", "expected"),
    [
        (None, {}, None, None),
        (None, {}, "Chinese", "Chinese"),
        (None, {"ASR_LANGUAGE": "English"}, "Chinese", "English"),
        (None, {"ASR_LANGUAGE": ""}, "Chinese", "Chinese"),
        ("German", {"ASR_LANGUAGE": "English"}, "Chinese", "German"),
    ],
)
def test_language_is_about_hearing(
    right_text: str,
    resolved: Resolved,
    flag: str | None,
    environ: dict[str, str],
    in_file: str | None,
    expected: str | None,
) -> None:
    said = f'\nlanguage = "{in_file}"' if in_file else ""
    text = right_text.replace('engine = "moonshine"', f'engine = "moonshine"{said}')
    text = text.replace('engine = "pocketsphinx"', 'engine = "pocketsphinx"\nlanguage = "of the text"')
    plan = resolved(text, environ, language=flag)
    assert model_of(plan, 1, 0).language == expected
    assert model_of(plan, 1, 1).language == "of the text"


def test_a_model_that_hears_and_aligns_has_one_language(right_text: str, resolved: Resolved) -> None:
    text = right_text.replace('task = "align"\nmodel = "aligner"', 'task = "align"\nmodel = "asr-small"')
    plan = resolved(text, language="German")
    assert model_of(plan, 1, 0) == model_of(plan, 1, 1)
    assert model_of(plan, 1, 1).language == "German"


@pytest.mark.parametrize("variable", ["INFERENCE_THREADS", "CONTEXT_LENGTH"])
@pytest.mark.parametrize("value", ["many", "0", "-1", "1.5", "²", "9" * 30])
def test_variables_that_cannot_be_used_are_named(
    right_text: str, resolved: Resolved, variable: str, value: str
) -> None:
    [problem] = problems_of(lambda: resolved(right_text, {variable: value}))
    assert problem.key_path == variable
    assert "cannot be used (allowed: an integer, at least 1)" in str(problem)


def test_a_sandbox_and_what_it_allows_besides(right_text: str, resolved: Resolved) -> None:
    said = (
        'engine = "moonshine"\nsandbox = "strict"\nsandbox_reads = ["in", "/data"]\nsandbox_writes = ["out"]'
    )
    model = model_of(resolved(right_text.replace('engine = "moonshine"', said), {}, 8))
    folder = str(Path(model.sandbox_writes[0]).parent)
    assert model.sandbox == "strict"
    assert model.sandbox_reads == [f"{folder}/in", "/data"]
    assert Path(folder).is_absolute()
    assert model_of(resolved(right_text, {}, 8)).sandbox is None


def test_how_workers_are_started(right_text: str, resolved: Resolved) -> None:
    said = 'engine = "moonshine"\nstart = "warm"\ntemplate_max_age_s = 60.0'
    model = model_of(resolved(right_text.replace('engine = "moonshine"', said), {}, 8))
    assert (model.start, model.template_max_age_s) == ("warm", 60.0)
    model = model_of(resolved(right_text, {}, 8))
    assert (model.start, model.template_max_age_s) == ("auto", None)


@pytest.mark.parametrize(
    "wrong", [{"sandbox": "tight"}, {"sandbox_reads": "/one"}, {"sandbox_writes": Path("/one")}]
)
def test_what_is_no_sandbox(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Model(name="m", engine="function", **wrong)

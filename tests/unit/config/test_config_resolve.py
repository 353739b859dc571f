"""From file, flags and environment to the plan: precedence, paths, variants, and names that do not exist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.config.load import load_file
from orchestrator.config.overrides import Overrides
from orchestrator.config.resolve import resolve
from orchestrator.config.types import Experiment, Model, Plan
from orchestrator.errors import ConfigError, ConfigProblem

Write = Callable[[str], Path]
Resolved = Callable[..., Plan]


@pytest.fixture
def resolved(write: Write) -> Resolved:
    """Resolve a text under profile embedded, unless a profile is given."""

    def plan(text: str, environ: dict[str, str] | None = None, cores: int = 8, **flags: Any) -> Plan:
        path = write(text)
        overrides = Overrides(**{"profile": "embedded", **flags})
        return resolve(load_file(path), path, overrides, environ or {}, cores, exists=lambda _: False)

    return plan


def model_of(plan: Plan, experiment: int = 0, step: int = 0) -> Model:
    return plan.experiments[experiment].steps[step].model


def series_of(experiment: Experiment) -> list[str]:
    return [series.key for series in experiment.series]


# ------------------------------------------------------------------ defaults


def test_defaults(right_text: str, resolved: Resolved) -> None:
    plan = resolved(right_text)
    experiment = plan.experiments[1]
    assert (plan.keep_runs, plan.problems) == (20, [])
    assert series_of(experiment) == ["recreate", "recycle"]
    assert (experiment.iterations, experiment.recycle_after, experiment.sample_interval_ms) == (100, 1, 20)
    assert (experiment.heap, experiment.timeout_s) == (True, 600.0)
    assert (experiment.title, experiment.output) == ("two", "two_results.json")
    model = model_of(plan)
    assert (model.role, model.label, model.threads, model.threads_note) == ("asr-small", "asr-small", 6, "")
    assert (model.context_length, model.language, model.file, model.library) == (4096, None, None, None)


def test_steps_are_looked_up(right_text: str, resolved: Resolved, tmp_path: Path) -> None:
    asr, align = resolved(right_text).experiments[1].steps
    assert (asr.task, asr.model.engine, asr.text) == ("asr", "moonshine", None)
    assert (align.task, align.model.engine, align.text) == ("align", "pocketsphinx", "previous")
    assert asr.sample is not None
    assert asr.sample.audio == str(tmp_path / "samples/phone.wav")
    assert asr.sample.reference_file == str(tmp_path / "samples/phone.txt")


def test_an_align_step_takes_the_reference_when_it_says_nothing(right_text: str, resolved: Resolved) -> None:
    plan = resolved(right_text.replace('text = "previous"\n', ""))
    assert plan.experiments[1].steps[1].text == "reference"


# ------------------------------------------------------------------ precedence of an experiment's keys

LAYERS = (
    ("[defaults]\n{}\n", "defaults"),
    ("[profiles.embedded]\n{}\n", "profile"),
    ("[[experiment]]\n{}\n", "experiment"),
    ("[profiles.embedded.experiments.two]\n{}\n", "override"),
)


def with_layers(text: str, key: str, values: dict[str, str]) -> str:
    """Say ``key`` at several places, for experiment ``two``."""
    for template, layer in LAYERS:
        if layer not in values:
            continue
        line = f"{key} = {values[layer]}"
        if layer == "experiment":
            text = text.replace('name = "two"', f'name = "two"\n{line}')
        else:
            text = text.replace("schema = 1\n", "schema = 1\n" + template.format(line))
    return text


@pytest.mark.parametrize(
    ("said", "winner"),
    [
        ((), None),
        (("defaults",), "defaults"),
        (("defaults", "profile"), "profile"),
        (("defaults", "profile", "experiment"), "experiment"),
        (("defaults", "experiment"), "experiment"),
        (("defaults", "profile", "experiment", "override"), "override"),
        (("profile", "override"), "override"),
    ],
)
@pytest.mark.parametrize(
    ("key", "values", "default"),
    [
        ("iterations", ("11", "12", "13", "14"), 100),
        ("recycle_after", ("11", "12", "13", "14"), 1),
        ("sample_interval_ms", ("11", "12", "13", "14"), 20),
        ("timeout_s", ("1.5", "2.5", "3", "4"), 600.0),
    ],
)
def test_precedence(
    right_text: str,
    resolved: Resolved,
    key: str,
    values: tuple[str, ...],
    default: float,
    said: tuple[str, ...],
    winner: str | None,
) -> None:
    by_layer = dict(zip([layer for _, layer in LAYERS], values, strict=True))
    text = with_layers(right_text, key, {layer: by_layer[layer] for layer in said})
    expected = float(by_layer[winner]) if winner else default
    assert getattr(resolved(text).experiments[1], key) == expected


def test_false_is_said_too(right_text: str, resolved: Resolved) -> None:
    text = with_layers(right_text, "heap", {"defaults": "true", "override": "false"})
    assert [experiment.heap for experiment in resolved(text).experiments] == [True, False]


def test_methods_by_layer_and_flag(right_text: str, resolved: Resolved) -> None:
    text = with_layers(right_text, "methods", {"defaults": '["recycle"]', "override": '["recreate"]'})
    assert series_of(resolved(text).experiments[1]) == ["recreate"]
    assert series_of(resolved(text, methods=("recycle", "recycle")).experiments[1]) == ["recycle"]


def test_the_flag_for_iterations_wins(right_text: str, resolved: Resolved) -> None:
    text = with_layers(right_text, "iterations", {"override": "14"})
    assert [experiment.iterations for experiment in resolved(text, iterations=3).experiments] == [3, 3]


def test_keep_runs(right_text: str, resolved: Resolved) -> None:
    text = right_text.replace("schema = 1\n", "schema = 1\n[defaults]\nkeep_runs = 3\n")
    assert resolved(text).keep_runs == 3
    assert resolved(text + "[profiles.embedded]\nkeep_runs = 4\n").keep_runs == 4


def test_environments_of_all_layers_are_merged(right_text: str, resolved: Resolved) -> None:
    text = with_layers(
        right_text,
        "env",
        {"defaults": '{ A = "d", B = "d" }', "profile": '{ B = "p", C = "p" }', "experiment": '{ C = "e" }'},
    )
    series = resolved(text).experiments[1].series
    assert series[0].env == {"A": "d", "B": "p", "C": "e"}


# ------------------------------------------------------------------ precedence of a model's keys


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


# ------------------------------------------------------------------ paths


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


# ------------------------------------------------------------------ references


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


# ------------------------------------------------------------------ variants

VARIANTS = """\
[experiment.variants.one-arena]
env = { MALLOC_ARENA_MAX = "1", A = "variant" }
[experiment.variants.preload]
env = { LD_PRELOAD = "x.so" }
methods = ["recreate"]
"""


def test_variants_are_further_series(right_text: str, resolved: Resolved) -> None:
    text = right_text.replace('name = "two"', 'name = "two"\nenv = { A = "experiment" }') + VARIANTS
    experiment = resolved(text).experiments[1]
    assert series_of(experiment) == [
        "recreate",
        "recycle",
        "recreate@one-arena",
        "recycle@one-arena",
        "recreate@preload",
    ]
    assert experiment.series[0].env == {"A": "experiment"}
    assert experiment.series[2].env == {"A": "variant", "MALLOC_ARENA_MAX": "1"}
    assert experiment.series[4].env == {"A": "experiment", "LD_PRELOAD": "x.so"}


def test_the_flag_for_methods_narrows_what_a_variant_says(right_text: str, resolved: Resolved) -> None:
    experiment = resolved(right_text + VARIANTS, methods=("recycle",)).experiments[1]
    assert series_of(experiment) == ["recycle", "recycle@one-arena"]


@pytest.mark.parametrize("said", ["jemalloc", "mimalloc", "/opt/lib/libx.so"])
def test_a_variant_may_name_an_allocator(said: str, right_text: str, resolved: Resolved) -> None:
    text = right_text + f'[experiment.variants.other]\nallocator = "{said}"\nmethods = ["recreate"]\n'
    series = resolved(text).experiments[1].series
    assert [one.allocator for one in series] == [None, None, said]


def test_the_path_of_an_allocator_counts_from_the_file(right_text: str, resolved: Resolved) -> None:
    text = right_text + '[experiment.variants.other]\nallocator = "lib/libx.so"\n'
    said = resolved(text).experiments[1].series[-1].allocator
    assert said is not None
    assert Path(said).is_absolute()
    assert said.endswith("/lib/libx.so")


def test_an_unknown_allocator_is_refused(right_text: str, resolved: Resolved) -> None:
    text = right_text + '[experiment.variants.other]\nallocator = "jemaloc"\n'
    [problem] = problems_of(lambda: resolved(text))
    assert problem.key_path == "$.experiment[1].variants.other.allocator"
    assert '"jemalloc"' in str(problem)


# ------------------------------------------------------------------ stopping early


def with_stop(text: str, defaults: str, profile: str) -> str:
    tables = [f"[defaults]\n{defaults}", *(f"[profiles.{name}]\n{profile}" for name in ("qwen3", "embedded"))]
    return text.replace("schema = 1\n", "\n".join(["schema = 1", *tables, ""]), 1)


@pytest.mark.parametrize(
    ("defaults", "profile", "flag", "stop"),
    [
        ("", "", None, "never"),
        ('stop = "settled"', "", None, "settled"),
        ('stop = "settled"', 'stop = "never"', None, "never"),
        ("", 'stop = "settled"', None, "settled"),
        ("", 'stop = "settled"', "never", "never"),
        ("", "", "settled", "settled"),
    ],
)
def test_who_says_whether_a_series_may_stop(
    right_text: str, resolved: Resolved, defaults: str, profile: str, flag: str | None, stop: str
) -> None:
    text = with_stop(right_text, defaults, profile)
    flags = {} if flag is None else {"stop": flag}
    assert {one.stop for one in resolved(text, **flags).experiments} == {stop}


# ------------------------------------------------------------------ what flags may say


def problems_of(act: Callable[[], object]) -> list[ConfigProblem]:
    with pytest.raises(ConfigError) as caught:
        act()
    return list(caught.value.problems)


def test_only_keeps_the_files_order(right_text: str, resolved: Resolved) -> None:
    assert [experiment.name for experiment in resolved(right_text, only=("two", "one")).experiments] == [
        "one",
        "two",
    ]
    assert [experiment.name for experiment in resolved(right_text, only=("two",)).experiments] == ["two"]


def test_flags_that_cannot_be_used_are_all_named(right_text: str, resolved: Resolved) -> None:
    problems = problems_of(
        lambda: resolved(
            right_text,
            {"CONTEXT_LENGTH": "x"},
            only=("one", "too"),
            methods=("recicle",),
            iterations=0,
            threads=-1,
        )
    )
    assert [str(problem) for problem in problems] == [
        "--iterations: 0 is out of range (allowed: at least 1)",
        "--threads: -1 is out of range (allowed: at least 1)",
        'CONTEXT_LENGTH: "x" cannot be used (allowed: an integer, at least 1)',
        '--only: there is no experiment "too" (did you mean "two"? allowed: one, two)',
        '--methods: there is no method "recicle" '
        '(did you mean "recycle"? allowed: recreate, restart, reuse, recycle)',
    ]


def test_flags_that_name_nothing(right_text: str, resolved: Resolved) -> None:
    problems = problems_of(lambda: resolved(right_text, only=(), methods=()))
    assert [problem.key_path for problem in problems] == ["--only", "--methods"]


def test_restart_by_flag_is_refused_where_the_file_would_refuse_it(
    right_text: str, resolved: Resolved
) -> None:
    [problem] = problems_of(lambda: resolved(right_text, methods=("restart", "recycle")))
    assert problem.key_path == "--methods"
    assert "two: restart cannot be done" in str(problem)
    assert "add --only one" in str(problem)
    assert series_of(resolved(right_text, methods=("restart",), only=("one",)).experiments[0]) == ["restart"]


def test_recreate_by_flag_needs_models_that_agree(right_text: str, resolved: Resolved) -> None:
    text = right_text.replace('name = "two"', 'name = "two"\nmethods = ["recycle"]')
    text = text.replace('engine = "moonshine"', 'engine = "moonshine"\nenv = { A = "1" }')
    text = text.replace('engine = "pocketsphinx"', 'engine = "pocketsphinx"\nenv = { A = "2" }')
    assert len(resolved(text).experiments) == 2
    [problem] = problems_of(lambda: resolved(text, methods=("recreate",)))
    assert problem.key_path == "$.profiles.embedded.models.aligner.env.A"
    assert len(resolved(text, methods=("recreate",), only=("one",)).experiments) == 1


def test_a_file_without_experiments_gives_no_plan(resolved: Resolved) -> None:
    text = 'schema = 1\n[profiles.embedded.models.m]\nengine = "synthetic"\n'
    assert [problem.key_path for problem in problems_of(lambda: resolved(text))] == ["$.experiment"]


def test_a_profile_without_models_gives_no_plan(right_text: str, resolved: Resolved) -> None:
    text = right_text + "[profiles.bare]\niterations = 3\n"
    [problem] = problems_of(lambda: resolved(text, profile="bare"))
    assert problem.key_path == "$.profiles.bare.models"


def test_a_plan_can_be_kept_in_a_manifest(right_text: str, resolved: Resolved) -> None:
    plan = resolved(right_text + VARIANTS)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan

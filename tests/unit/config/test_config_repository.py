"""The repository's own experiments.toml: the table of the five experiments, and its examples in comments."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config import load as loading
from orchestrator.config.engine_names import KNOWN_ENGINES
from orchestrator.config.load import load_file
from orchestrator.config.overrides import Overrides
from orchestrator.config.resolve import resolve
from orchestrator.config.types import Experiment, ExperimentsFile, Plan

TOP = Path(__file__).parents[3]
FILE = TOP / "experiments.toml"

TABLE = {
    "exp1": (["recreate", "recycle"], {"qwen3": 10, "embedded": 10}, "asr_results.json"),
    "exp2": (["recreate", "restart", "recycle"], {"qwen3": 100, "embedded": 50}, "comparison_results.json"),
    "exp3": (["recreate", "recycle"], {"qwen3": 100, "embedded": 50}, "model_switch_results.json"),
    "exp4": (
        ["recreate", "restart", "recycle"],
        {"qwen3": 100, "embedded": 50},
        "alignment_comparison_results.json",
    ),
    "exp5": (["recreate", "recycle"], {"qwen3": 100, "embedded": 50}, "asr_align_results.json"),
}
STEPS = {
    "exp1": [("asr", "asr-small", "phone", None)],
    "exp2": [("asr", "asr-small", "phone", None)],
    "exp3": [("asr", "asr-small", "phone", None), ("asr", "asr-large", "phone", None)],
    "exp4": [("align", "aligner", "jfk", "reference")],
    "exp5": [("asr", "asr-small", "jfk", None), ("align", "aligner", "jfk", "previous")],
}
TITLES = {
    "exp1": "Qwen3-ASR Inference Benchmark",
    "exp2": "Memory Leak Comparison",
    "exp3": "Model Switching Memory Benchmark",
    "exp4": "Forced Aligner Memory Comparison",
    "exp5": "ASR + Forced Aligner Memory Test",
}


def plan_under(profile: str, cores: int = 8) -> Plan:
    return resolve(load_file(FILE), FILE, Overrides(profile=profile), {}, cores)


def steps_of(experiment: Experiment) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (step.task, step.model.name, step.sample.name if step.sample else None, step.text)
        for step in experiment.steps
    ]


@pytest.mark.parametrize("profile", ["qwen3", "embedded"])
def test_the_five_experiments(profile: str) -> None:
    plan = plan_under(profile)
    assert {
        experiment.name: (
            [series.key for series in experiment.series],
            experiment.iterations,
            experiment.output,
        )
        for experiment in plan.experiments
    } == {name: (methods, counts[profile], output) for name, (methods, counts, output) in TABLE.items()}
    assert {experiment.name: steps_of(experiment) for experiment in plan.experiments} == STEPS
    titles = TITLES if profile == "qwen3" else TITLES | {"exp1": "Moonshine Inference Benchmark"}
    assert {experiment.name: experiment.title for experiment in plan.experiments} == titles
    assert {experiment.recycle_after for experiment in plan.experiments} == {1}
    stop = "settled" if profile == "embedded" else "never"
    assert {experiment.stop for experiment in plan.experiments} == {stop}
    assert (plan.keep_runs, {experiment.sample_interval_ms for experiment in plan.experiments}) == (20, {20})


def test_the_example_of_allocator_settings() -> None:
    path = TOP / "examples/allocator_settings/experiments.toml"
    [experiment] = resolve(load_file(path), path, Overrides(), {}, cores=8).experiments
    assert {series.variant: (series.allocator, series.env) for series in experiment.series} == {
        None: (None, {}),
        "trim-early": (None, {"MALLOC_TRIM_THRESHOLD_": "131072"}),
        "one-arena": (None, {"MALLOC_ARENA_MAX": "1"}),
        "jemalloc": ("jemalloc", {}),
        "mimalloc": ("mimalloc", {}),
    }
    assert experiment.stop == "settled"
    assert all(Path(step.sample.audio).is_file() for step in experiment.steps if step.sample)


def test_what_qwen3_binds() -> None:
    plan = plan_under("qwen3")
    models = {step.model.name: step.model for experiment in plan.experiments for step in experiment.steps}
    assert {role: (Path(model.file or "").name, model.label) for role, model in models.items()} == {
        "asr-small": ("qwen3-asr-0.6b-q4_0.bin", "0.6B"),
        "asr-large": ("qwen3-asr-1.7b-q4_0.bin", "1.7B"),
        "aligner": ("qwen3-forced-aligner-0.6b-q4_0.bin", "Aligner"),
    }
    for model in models.values():
        assert model.engine == "chatllm"
        assert model.env == {}
        assert model.library == str(TOP / "chatllm.cpp/bindings/libchatllm.so")
        assert (model.threads, model.context_length) == (6, 4096)
    assert (models["aligner"].language, models["aligner"].format) == ("English", "json")
    assert {
        step.sample.audio for experiment in plan.experiments for step in experiment.steps if step.sample
    } == {
        str(TOP / "samples/phoneNumber1-zh-TW.wav"),
        str(TOP / "samples/jfk.wav"),
    }


def test_what_embedded_binds() -> None:
    plan = plan_under("embedded")
    models = {step.model.name: step.model for experiment in plan.experiments for step in experiment.steps}
    assert {role: (model.engine, model.label) for role, model in models.items()} == {
        "asr-small": ("moonshine", "Moonshine"),
        "asr-large": ("pocketsphinx", "PocketSphinx"),
        "aligner": ("pocketsphinx", "Aligner"),
    }
    samples = {
        step.sample.name: step.sample
        for experiment in plan.experiments
        for step in experiment.steps
        if step.sample
    }
    assert samples["phone"].reference == "0900073331"
    assert samples["jfk"].reference is not None
    assert samples["jfk"].reference.startswith("And so, my fellow Americans")
    for sample in samples.values():
        assert Path(sample.audio).is_file()


def test_threads_are_lowered_to_the_cores_because_the_file_does_not_say_them() -> None:
    assert plan_under("qwen3", cores=2).experiments[0].steps[0].model.threads == 2


def uncommented(text: str, first: str) -> str:
    """Remove the comment marks of the block of examples whose first line is ``first``."""
    head, mark, rest = text.partition(f"# {first}\n")
    assert mark, f"no example {first}"
    lines = rest.split("\n")
    end = next(index for index, line in enumerate(lines) if not re.match(r"# \S", line))
    return head + "\n".join([first, *(line.removeprefix("# ") for line in lines[:end]), *lines[end:]])


@pytest.fixture
def load_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ExperimentsFile]:
    monkeypatch.setattr(loading, "engine_names", lambda: [*KNOWN_ENGINES, "my-engine"])

    def loaded(text: str) -> ExperimentsFile:
        path = tmp_path / "experiments.toml"
        path.write_text(text, encoding="utf-8")
        return load_file(path)

    return loaded


def test_the_example_of_a_variant(load_with: Callable[[str], ExperimentsFile]) -> None:
    file = load_with(uncommented(FILE.read_text("utf-8"), "[experiment.variants.trim-early]"))
    variant = file.experiment[1].variants["trim-early"]
    assert variant.env == {"MALLOC_TRIM_THRESHOLD_": "131072"}
    assert (variant.allocator, variant.methods) == ("jemalloc", ["restart"])


def test_the_example_of_a_third_partys_engine(load_with: Callable[[str], ExperimentsFile]) -> None:
    text = FILE.read_text("utf-8")
    moonshine = re.search(r"\[profiles\.embedded\.models\.asr-small\]\nengine = \"moonshine\".*\n.*\n", text)
    assert moonshine
    text = uncommented(text.replace(moonshine[0], ""), "[profiles.embedded.models.asr-small]")
    assert load_with(text).profiles["embedded"].models["asr-small"].options == {"beam": 4}


def test_the_example_of_a_profiles_experiment(load_with: Callable[[str], ExperimentsFile]) -> None:
    file = load_with(uncommented(FILE.read_text("utf-8"), "[profiles.embedded.experiments.exp2]"))
    assert file.profiles["embedded"].experiments["exp2"].iterations == 20


def test_the_example_of_recycling(load_with: Callable[[str], ExperimentsFile]) -> None:
    recycle = load_with(uncommented(FILE.read_text("utf-8"), "[recycle]")).recycle
    assert recycle is not None
    assert (recycle.max_jobs, recycle.max_rss, recycle.hard_rss) == (200, "1.5GiB", "2GiB")

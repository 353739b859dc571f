"""The example file of docs/faster-whisper.md: parsed as it stands, and its five experiments run by the real command.

In CI the package is the double in tests/doubles. Where the real one is installed it comes first on a worker's
path, and the same run is done on a model of random weights.
"""

import importlib
import importlib.util
import json
import tomllib
import wave
from pathlib import Path

import pytest
from lab import REPOSITORY, Lab

from orchestrator.config.load import load_file
from orchestrator.config.overrides import Overrides
from orchestrator.config.resolve import resolve

EXAMPLE = REPOSITORY / "examples/faster_whisper/experiments.toml"
DOUBLES = REPOSITORY / "tests/doubles"
OUTPUTS = {
    "exp1": "asr_results.json",
    "exp2": "comparison_results.json",
    "exp3": "model_switch_results.json",
    "exp4": "alignment_comparison_results.json",
    "exp5": "asr_align_results.json",
}
REAL = importlib.util.find_spec("ctranslate2") is not None


def test_the_example_is_a_complete_profile_of_local_folders() -> None:
    plan = resolve(load_file(EXAMPLE), EXAMPLE, Overrides(), {}, cores=8)
    assert plan.profile == "whisper"
    assert [experiment.name for experiment in plan.experiments] == list(OUTPUTS)
    models = [step.model for experiment in plan.experiments for step in experiment.steps]
    assert {model.engine for model in models} == {"faster-whisper"}
    assert all(Path(model.file or "").parent == REPOSITORY / "models" for model in models)
    for experiment in plan.experiments:
        assert all(Path(step.sample.audio).is_file() for step in experiment.steps if step.sample)


def test_its_experiments_are_those_of_the_top_level() -> None:
    top = tomllib.loads((REPOSITORY / "experiments.toml").read_text(encoding="utf-8"))
    assert tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["experiment"] == top["experiment"]


def samples_in(name: str) -> int:
    with wave.open(str(REPOSITORY / "samples" / name)) as file:
        return file.getnframes()


def double_model(folder: Path) -> None:
    """A model folder of the double: it hears each sample's reference, one segment of evenly timed words."""
    folder.mkdir(parents=True)
    script = []
    for name in ("phone-en", "jfk"):
        text = (REPOSITORY / f"samples/{name}.txt").read_text(encoding="utf-8").strip()
        words = [[i * 0.1, (i + 1) * 0.1, f" {word}"] for i, word in enumerate(text.split())]
        segment = [0.0, len(words) * 0.1, f" {text}", words]
        script.append({"samples": samples_in(f"{name}.wav"), "language": "en", "segments": [segment]})
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_text("{}")
    (folder / "model.bin").write_text(json.dumps(script))


def copy_example(lab: Lab) -> Path:
    folder = lab.folder / "examples/faster_whisper"
    folder.mkdir(parents=True)
    (folder / "experiments.toml").write_bytes(EXAMPLE.read_bytes())
    (lab.folder / "samples").symlink_to(REPOSITORY / "samples")
    return folder / "experiments.toml"


@pytest.mark.skipif(REAL, reason="the real package is installed, and would come first on a worker's path")
def test_all_five_experiments_run_on_it(lab: Lab) -> None:
    file = copy_example(lab)
    for name in ("faster-whisper-tiny", "faster-whisper-small"):
        double_model(lab.folder / "models" / name)
    engine = 'engine = "faster-whisper"'
    text = file.read_text()
    assert text.count(engine) == 3
    # the double notes its calls beside the model
    file.write_text(text.replace(engine, f'sandbox_writes = ["../../models"]\n{engine}'))
    done = lab.run(
        *("run", file, "--results", lab.results, "--iterations", "2", "--threads", "1"),
        env={"PYTHONPATH": str(DOUBLES)},
    )
    assert done.code == 0, done.err
    results = {name: json.loads((lab.results / output).read_text()) for name, output in OUTPUTS.items()}
    for name, document in results.items():
        methods = {entry["method"] for entry in document["iterations"]}
        assert {entry["iteration"] for entry in document["iterations"]} == {1, 2}
        assert methods == (
            {"recreate", "restart", "recycle"} if name in {"exp2", "exp4"} else {"recreate", "recycle"}
        )
    assert {entry["wer_percent"] for entry in results["exp1"]["iterations"]} == {0.0}
    assert "Restart() (no reset)" in done.out
    assert all(call_is_local(line) for line in calls(lab))


def calls(lab: Lab) -> list[str]:
    return (lab.folder / "models/faster-whisper-tiny/calls.jsonl").read_text().splitlines()


def call_is_local(line: str) -> bool:
    call = json.loads(line)
    return call["call"] != "load" or (call["local_files_only"] and call["offline"] == "1")


@pytest.mark.skipif(not REAL, reason="the extra 'faster-whisper' is not installed")
def test_the_real_library_runs_on_random_weights(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOUBLES))
    make = importlib.import_module("random_whisper").make
    for name in ("faster-whisper-tiny", "faster-whisper-small"):
        make(lab.folder / "models" / name)
    done = lab.run(
        *("run", copy_example(lab), "--results", lab.results, "--iterations", "2", "--threads", "1"),
        *("--only", "exp1,exp2,exp3"),
    )
    assert done.code == 0, done.err
    for name in ("exp1", "exp2", "exp3"):
        document = json.loads((lab.results / OUTPUTS[name]).read_text())
        assert not any("crashed" in json.dumps(summary) for summary in document["summary"].values())
        assert len(document["iterations"]) == 2 * len(document["summary"])
        assert all(step["ttft_ms"] > 0 for entry in document["iterations"] for step in entry["steps"])

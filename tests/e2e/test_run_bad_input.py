"""Bad input, all tried: what is wrong is said with where and what to do, and what can run still runs."""

import os
from pathlib import Path

import pytest
from lab import REPOSITORY, Lab, align, asr, experiment, install_engines, read_json, synthetic, write_tone


def test_every_mistake_in_the_file_is_told_at_once_and_nothing_runs(lab: Lab) -> None:
    lab.write(
        experiment("a", "recreate", "recycel", iteration=5),
        experiment("b", iterations="six", steps=[asr("smal")]),
        experiment("b", steps=[{"task": "asr", "model": "small"}, align("small", text="previous")]),
        experiment("c", "restart", steps=[asr(), asr("large")]),
        models={"small": {"engine": "sinthetic"}, "large": {"engine": "synthetic", "thread": 2}},
        default={"iterations": 3},
    )
    done = lab.run("run")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    assert f"{lab.file.name}: " in done.log[0]
    assert "problems" in done.log[0]
    told = "\n".join(done.log[1:])
    for path, hint in {
        "$.default": "defaults",
        "$.experiment[0].iteration": "iterations",
        "$.experiment[0].methods[1]": "recycle",
        "$.experiment[1].iterations": '"six"',
        "$.experiment[1].steps[0].model": "small",
        "$.experiment[2].name": '"b" is also the name of',
        "$.experiment[2].steps[0].sample": "needs audio",
        "$.experiment[3].methods": "restart cannot be done",
        "$.profiles.lab.models.small.engine": "synthetic",
        "$.profiles.lab.models.large.thread": "threads",
    }.items():
        (line,) = (line for line in done.log[1:] if line.strip().startswith(f"{path}:"))
        assert hint in line, told
    assert not lab.results.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.toml"], ["nowhere.toml", "there is no such file", "orchestrator init"]),
        (["tone.wav"], ["tone.wav", "not UTF-8"]),
        (["--only", "aa"], ["--only", 'there is no experiment "aa"', "a, b"]),
        (["--methods", "recreat,recycle"], ["--methods", 'did you mean "recreate"?']),
        (["--profile", "labb"], ["--profile", 'did you mean "lab"?']),
        (["--iterations", "0"], ["--iterations", "greater than or equal to 1"]),
        (["--threads", "many"], ["--threads", "integer"]),
        (["-q", "-v"], ["--quiet and --verbose exclude each other"]),
        (["--iteration", "3"], ["--iteration"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) and value[0].startswith("-") else "",
)
def test_wrong_usage_ends_with_2_before_anything_runs(
    lab: Lab, arguments: list[str], said: list[str]
) -> None:
    lab.write(experiment("a"), experiment("b"))
    done = lab.run("run", *arguments)
    assert (done.code, done.out) == (2, "")
    for words in said:
        assert words in done.err
    assert "Traceback" not in done.err
    assert not lab.results.exists()


def test_a_bad_variable_is_named(lab: Lab) -> None:
    lab.write(experiment("a"))
    done = lab.run("run", env={"INFERENCE_THREADS": "all", "CONTEXT_LENGTH": "-1"})
    assert done.code == 2
    assert 'INFERENCE_THREADS: "all" cannot be used' in done.err
    assert 'CONTEXT_LENGTH: "-1" cannot be used' in done.err


# ---------------------------------------------------------------------- audio

BAD_AUDIO = {
    "missing": "there is no such file",
    "empty": "is an empty file (0 bytes)",
    "silent": "0 samples",
    "text": "is text, not audio",
    "folder": "is a folder",
    "cut": "cut off",
    "pipe": "is a pipe",
}
CONVERTED = {"rate": "44100 Hz", "stereo": "stereo"}


def make_audio(folder: Path) -> dict[str, dict[str, str]]:
    """Write a file for each kind and return the samples of a profile."""
    write_tone(folder / "silent.wav", seconds=0)
    write_tone(folder / "rate.wav", rate_hz=44_100)
    write_tone(folder / "stereo.wav", channels=2)
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("one two three four\n" * 40)
    (folder / "folder.wav").mkdir()
    (folder / "cut.wav").write_bytes((folder / "tone.wav").read_bytes()[:9000])
    os.mkfifo(folder / "pipe.wav")
    names = [*BAD_AUDIO, *CONVERTED, "tone"]
    return {name: {"audio": f"{name}.wav", "reference": "tone.txt"} for name in names}


def test_bad_audio_is_told_before_anything_starts_and_the_rest_runs(lab: Lab) -> None:
    samples = make_audio(lab.folder)
    lab.write(
        *[experiment(name, iterations=1, steps=[asr(sample=name)]) for name in samples],
        profiles={"lab": {"models": {"small": synthetic()}, "samples": samples}},
    )
    done = lab.run("run")
    assert done.code == 0, done.err
    begins = next(number for number, line in enumerate(done.log) if "Method 1:" in line)
    before = "\n".join(done.log[:begins])
    for name, problem in BAD_AUDIO.items():
        summary = lab.result(name)["summary"]["recreate"]
        assert summary["outcome"] == "unavailable", name
        assert f"{name}.wav" in summary["sentence"]
        assert problem in summary["sentence"]
        assert summary["how_to_get_it"]
        assert f"unavailable: {name}: sample {name}: " in before
        assert f"Destroy+Recreate: unavailable: sample {name}" in done.out
    for name, found in CONVERTED.items():
        assert lab.result(name)["summary"]["recreate"]["outcome"] == "completed"
        sample = lab.result(name)["config"]["steps"][0]["sample"]
        assert found in sample["conversion"]
        assert sample["seconds"] == pytest.approx(0.5, abs=0.01)
        assert f"sample {name}: {name}.wav was converted from" in before
        assert found in before
    assert lab.result("tone")["config"]["steps"][0]["sample"]["conversion"] == ""


def test_a_reference_that_is_no_text_is_an_error_of_the_file(lab: Lab) -> None:
    (lab.folder / "tone.txt").write_bytes(b"\xff\xfe\x00")
    lab.write(experiment("a"))
    done = lab.run("run")
    assert done.code == 2
    assert "$.profiles.lab.samples.tone.reference" in done.err
    assert "not UTF-8" in done.err


def test_a_missing_reference_costs_the_error_rate_alone(lab: Lab) -> None:
    (lab.folder / "tone.txt").unlink()
    lab.write(experiment("a"))
    done = lab.run("run")
    assert done.code == 0, done.err
    assert lab.result("a")["summary"]["recreate"]["avg_wer_percent"] is None


# ---------------------------------------------------------------------- models and engines


def test_a_missing_model_takes_its_experiment_out_and_no_other(lab: Lab) -> None:
    models = {"small": synthetic(), "gone": {"engine": "synthetic", "file": "models/gone.bin"}}
    models["ours"] = {"engine": "synthetic", "options": {"leak_kib_per_jb": 1}}
    models["dies"] = synthetic(faults=[{"how": "segfault", "when": "import-check"}])
    lab.write(
        experiment("a", "recreate", "recycle", steps=[asr("gone")]),
        experiment("b", steps=[asr("ours")]),
        experiment("c", steps=[asr("dies")]),
        experiment("d"),
        models=models,
    )
    done = lab.run("run")
    assert done.code == 0, done.err
    told = done.err[: done.err.index("Method 1:")]
    assert f"{lab.folder / 'models' / 'gone.bin'} is not there" in told
    assert "leak_kib_per_job" in told, "the nearest option is named"
    assert "SIGSEGV" in told
    for name, methods in {"a": ["recreate", "recycle"], "b": ["recreate"], "c": ["recreate"]}.items():
        summary = lab.result(name)["summary"]
        assert {key: each["outcome"] for key, each in summary.items()} == dict.fromkeys(
            methods, "unavailable"
        )
    assert lab.result("d")["summary"]["recreate"]["outcome"] == "completed"


@pytest.mark.parametrize("when", ["import-check", "load"])
def test_exit_3_when_nothing_at_all_could_run(lab: Lab, when: str) -> None:
    model = synthetic(faults=[{"how": "unavailable", "when": when}])
    lab.write(experiment("a", "recreate", "recycle"), models={"small": model})
    done = lab.run("run")
    assert done.code == 3, done.err
    assert "synthetic fault: unavailable" in done.out
    assert "take the fault out of the options" in done.out
    assert lab.result("a")["iterations"] == []


def test_a_broken_third_party_engine_hurts_nobody_else(lab: Lab) -> None:
    install_engines(lab.folder)
    models = {"small": {"engine": "probe"}, "bad": {"engine": "broken"}}
    lab.write(experiment("a", steps=[asr("bad")]), experiment("b"), models=models)
    done = lab.run("run")
    assert done.code == 0, done.err
    assert (
        "libdecoder.so.7: cannot open shared object file"
        in lab.result("a")["summary"]["recreate"]["sentence"]
    )
    assert lab.result("b")["summary"]["recreate"]["outcome"] == "completed"


def test_the_profile_qwen3_with_nothing_there_says_how_to_get_everything(lab: Lab) -> None:
    file = REPOSITORY / "experiments.toml"
    done = lab.run(
        "run", file, "--profile", "qwen3", "--results", "out", env={"CHATLLM_LIB": "/nowhere/lib.so"}
    )
    assert done.code == 3
    assert done.log[0] == "qwen3: asked for"
    for words in (
        "/nowhere/lib.so is not there",
        "cmake --build chatllm.cpp/build --target libchatllm",
        "qwen3-asr-0.6b-q4_0.bin is not there",
        "qwen3-asr-1.7b-q4_0.bin is not there",
        "qwen3-forced-aligner-0.6b-q4_0.bin is not there",
        "python chatllm.cpp/convert.py",
        "phoneNumber1-zh-TW.wav",
    ):
        assert words in done.err, words
    files = {path.name for path in (lab.folder / "out").glob("*.json")}
    assert files == {
        "asr_results.json", "comparison_results.json", "model_switch_results.json",
        "alignment_comparison_results.json", "asr_align_results.json",
    }  # fmt: skip
    for name in files:
        results = read_json(lab.folder / "out" / name)
        assert results["profile"] == "qwen3"
        assert {each["outcome"] for each in results["summary"].values()} == {"unavailable"}

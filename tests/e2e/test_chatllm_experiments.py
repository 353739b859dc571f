"""The five experiments of the repository's experiments.toml with the profile qwen3, on our double of libchatllm."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import REPOSITORY, Finished, Lab

from doubles import Checkout, Doubles, write_audio

DIGITS = "零九零零零七三三三一"
SPOKEN = (REPOSITORY / "samples/jfk.txt").read_text().strip()
OUTPUTS = {
    "exp1": "asr_results.json",
    "exp2": "comparison_results.json",
    "exp3": "model_switch_results.json",
    "exp4": "alignment_comparison_results.json",
    "exp5": "asr_align_results.json",
}
PATIENCE_S = 250.0
"""Up to thirty processes a run, on a machine that may be busy. Nothing is measured by it."""
pytestmark = pytest.mark.timeout(600)
CRASHED = "crashed at iteration 1 in phase unload: SIGABRT"


class Workspace:
    """A user's folder: the repository's experiments.toml, a library, models and samples."""

    def __init__(self, lab: Lab, checkout: Checkout) -> None:
        self.lab = lab
        shutil.copy2(REPOSITORY / "experiments.toml", lab.file)
        samples = lab.folder / "samples"
        samples.mkdir()
        write_audio(samples / "phoneNumber1-zh-TW.wav", 4.0)
        (samples / "phoneNumber1-zh-TW.txt").write_text("0900073331\n")
        write_audio(samples / "jfk.wav", 11.0)
        (samples / "jfk.txt").write_text(SPOKEN)
        answers = lab.folder / "answers.txt"
        answers.write_text(f"4\t{DIGITS}\n11\t{SPOKEN}\n")
        self.env = {**checkout.environment, "CHATLLM_DOUBLE_ANSWERS": str(answers)}

    def run(self, *arguments: str, double: str = "", **env: str) -> Finished:
        environment = {**self.env, "CHATLLM_DOUBLE": double, **env}
        return self.lab.run("run", *arguments, env=environment, patience_s=PATIENCE_S)

    def result(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.lab.results / OUTPUTS[name]).read_text())
        return found


@pytest.fixture
def workspace(lab: Lab, doubles: Doubles) -> Workspace:
    return Workspace(lab, doubles.checkout(lab.folder))


def outcomes(result: dict[str, Any]) -> dict[str, str]:
    return {key: summary["sentence"] for key, summary in result["summary"].items()}


def test_all_five_run_and_a_crashing_recreate_is_a_result(workspace: Workspace) -> None:
    done = workspace.run("--iterations", "2")
    assert done.code == 0, done.err
    assert workspace.lab.manifest().profile == "qwen3"
    for name in OUTPUTS:
        methods = outcomes(workspace.result(name))
        expected = {"recreate": CRASHED, "recycle": "completed 2 iterations"}
        if name in {"exp2", "exp4"}:
            expected["restart"] = "completed 2 iterations"
        assert methods == expected, name
    (noted,) = workspace.result("exp2")["summary"]["recycle"]["unclean_exits"]
    assert noted.startswith("SIGABRT while unloading asr-small; from there on")
    assert noted in done.out
    assert done.out.count(CRASHED) == len(OUTPUTS)
    check_texts(workspace)


def check_texts(workspace: Workspace) -> None:
    """Nothing of the markers is left, words have times, and what was heard is what is aligned."""
    for entry in workspace.result("exp2")["iterations"]:
        (step,) = entry["steps"]
        assert step["text"] in {DIGITS, "0900073331"}
        assert step["chunks"] == len(DIGITS)
    for entry in workspace.result("exp4")["iterations"]:
        (step,) = entry["steps"]
        assert [word["text"] for word in step["words"]] == SPOKEN.split()
        assert step["words"][-1]["end_ms"] == 11_000
    for entry in workspace.result("exp5")["iterations"]:
        heard, placed = entry["steps"]
        assert heard["text"] == SPOKEN
        assert [word["text"] for word in placed["words"]] == SPOKEN.split()
        assert heard["wer_percent"] == 0.0


def test_what_recreate_and_the_baseline_are_read_from(workspace: Workspace) -> None:
    """A baseline that cannot unload is read after infer, and judged there."""
    assert workspace.run("--iterations", "3", "--only", "exp2").code == 0
    result = workspace.result("exp2")
    baseline = [entry for entry in result["iterations"] if entry["method"] == "recycle"]
    assert [entry["life"] for entry in baseline] == [1, 1, 1]
    assert [entry["steps"][0]["generation"] for entry in baseline] == [1, 2, 3]
    for entry in baseline:
        boundaries = entry["steps"][0]["rss_mb"]
        assert sorted(boundaries) == ["after_infer", "after_load", "before_load"]
        assert entry["memory_mb"] == boundaries["after_infer"]
    assert result["summary"]["recycle"]["judgement"]["boundary"] == "after_infer"
    assert result["summary"]["recycle"]["judgement"]["iterations"] == 3


def test_a_fork_whose_destroy_works_but_leaks_is_measured(workspace: Workspace) -> None:
    fork = "destroy=leak leak_cycle_kb=768"
    done = workspace.run("--iterations", "12", "--only", "exp2", "--methods", "recreate,restart", double=fork)
    assert done.code == 0, done.err
    result = workspace.result("exp2")
    assert outcomes(result) == dict.fromkeys(("recreate", "restart"), "completed 12 iterations")
    recreate, restart = result["summary"]["recreate"], result["summary"]["restart"]
    assert recreate["unclean_exits"] == []
    assert recreate["last_descriptors"] - recreate["first_descriptors"] == 11
    assert restart["last_descriptors"] == restart["first_descriptors"]
    assert recreate["judgement"]["verdict"] == "leak"
    assert recreate["leak_rate"]["rate_mb_per_iteration"] == pytest.approx(0.75, abs=0.15)
    assert restart["judgement"]["verdict"] != "leak"
    assert {step["reset"] for entry in result["iterations"] for step in entry["steps"]} == {None, "restart"}


def test_the_baseline_of_a_fork_is_read_after_its_unload(workspace: Workspace) -> None:
    done = workspace.run("--iterations", "2", "--only", "exp4", "--methods", "recycle", double="destroy=leak")
    assert done.code == 0, done.err
    summary = workspace.result("exp4")["summary"]["recycle"]
    assert (summary["sentence"], summary["unclean_exits"]) == ("completed 2 iterations", [])
    assert summary["judgement"]["boundary"] == "after_unload"


def test_an_old_library_has_recreate_unavailable_and_says_why(lab: Lab, doubles: Doubles) -> None:
    workspace = Workspace(lab, doubles.checkout(lab.folder, destroy=False))
    done = workspace.run("--iterations", "2", "--only", "exp4")
    assert done.code == 0, done.err
    summary = workspace.result("exp4")["summary"]
    assert summary["recreate"]["outcome"] == "unavailable"
    assert "memory is only returned by ending the process" in summary["recreate"]["sentence"]
    assert "newer chatllm.cpp" in summary["recreate"]["how_to_get_it"]
    assert {summary[key]["outcome"] for key in ("restart", "recycle")} == {"completed"}


def test_ffmpegs_memory_is_the_trees_and_not_the_workers(workspace: Workspace) -> None:
    done = workspace.run("--iterations", "2", "--only", "exp2", "--methods", "restart", FFMPEG_DOUBLE_MB="64")
    assert done.code == 0, done.err
    for entry in workspace.result("exp2")["iterations"]:
        assert entry["tree_peak_mb"] - entry["peak_mb"] > 40


def test_what_is_missing_is_said_before_anything_starts(workspace: Workspace) -> None:
    nowhere = workspace.lab.folder / "nothing"
    nowhere.mkdir()
    done = workspace.run("--only", "exp2", "--profile", "qwen3", PATH=str(nowhere))
    assert done.code == 3
    assert "no ffmpeg on PATH" in done.err
    assert "apt-get install ffmpeg" in done.err


def test_a_model_file_that_has_become_smaller_is_warned_of_at_once(workspace: Workspace) -> None:
    """It would start, and say nothing."""
    once = ("--iterations", "1", "--only", "exp2", "--methods", "restart")
    assert "fewer than it had" not in workspace.run(*once).err
    os.truncate(workspace.lab.folder / "models/qwen3-asr-0.6b-q4_0.bin", 1000)
    done = workspace.run(*once)
    assert done.code == 0
    assert "has 1,000 bytes, 24 fewer than it had in an earlier run" in done.err


def test_a_full_context_is_in_the_results(workspace: Workspace) -> None:
    done = workspace.run(
        "--iterations", "1", "--only", "exp2", "--methods", "restart", "--context-length", "70"
    )
    assert done.code == 0, done.err
    (entry,) = workspace.result("exp2")["iterations"]
    (warning,) = entry["steps"][0]["warnings"]
    assert "raise context_length" in warning
    assert warning in done.err


def test_the_engine_is_listed(lab: Lab) -> None:
    done = lab.run("engines", "--json")
    (info,) = [json.loads(line) for line in done.out.splitlines() if json.loads(line)["name"] == "chatllm"]
    assert (info["tasks"], info["restarts"], info["aborts"], info["error"]) == (
        ["asr", "align"],
        True,
        True,
        None,
    )


def test_a_hostile_folder_and_file_name_transcribe_and_touch_nothing(workspace: Workspace) -> None:
    name = "samples/$(touch pwned).wav"
    (workspace.lab.folder / "samples/phoneNumber1-zh-TW.wav").rename(workspace.lab.folder / name)
    text = workspace.lab.file.read_text().replace("samples/phoneNumber1-zh-TW.wav", name)
    workspace.lab.file.write_text(text)
    done = workspace.run("--iterations", "1", "--only", "exp2", "--methods", "restart")
    assert done.code == 0, done.err
    assert outcomes(workspace.result("exp2")) == {"restart": "completed 1 iterations"}
    assert not list(Path(workspace.lab.folder).rglob("pwned"))

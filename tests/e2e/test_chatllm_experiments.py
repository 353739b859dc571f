"""The five experiments of the repository's experiments.toml with the profile qwen3, on our double of libchatllm."""

import json
import os
from pathlib import Path

import pytest
from chatllm_workspace import DIGITS, OUTPUTS, SPOKEN, Workspace, outcomes
from lab import Lab

from doubles import Doubles

pytestmark = pytest.mark.timeout(600)
ABORTS = "destroy aborts (SIGABRT: double free or corruption (!prev))"


@pytest.fixture
def workspace(lab: Lab, doubles: Doubles) -> Workspace:
    return Workspace(lab, doubles.checkout(lab.folder))


def test_all_five_run_and_models_whose_destroy_aborts_are_abandoned(workspace: Workspace) -> None:
    """A try in a process of its own shows it, once a model for all five experiments."""
    done = workspace.run("--iterations", "2")
    assert done.code == 0, done.err
    assert workspace.lab.manifest().profile == "qwen3"
    for name in OUTPUTS:
        result = workspace.result(name)
        expected = dict.fromkeys(("recreate", "recycle"), "completed 2 iterations")
        if name in {"exp2", "exp4"}:
            expected["restart"] = "completed 2 iterations"
        assert outcomes(result) == expected, name
        models = {step["model"] for entry in result["iterations"] for step in entry["steps"]}
        assert result["summary"]["recreate"]["abandoned"] == dict.fromkeys(models, ABORTS), name
        assert result["summary"]["recycle"]["unclean_exits"] == []
    assert workspace.destroys == 3
    assert done.out.count(f"Destroy+Recreate (abandoned): {ABORTS}") == len(OUTPUTS)
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


def test_what_recreate_and_the_baseline_are_read_from_where_destroy_is_called(workspace: Workspace) -> None:
    """recreate crashes; a baseline that cannot unload is read after infer, and judged there."""
    workspace.set_destroy("call")
    done = workspace.run("--iterations", "3", "--only", "exp2")
    assert done.code == 0, done.err
    result = workspace.result("exp2")
    assert result["summary"]["recreate"]["sentence"] == "crashed at iteration 1 in phase unload: SIGABRT"
    assert "double free or corruption (!prev)" in done.out
    (noted,) = result["summary"]["recycle"]["unclean_exits"]
    assert noted.startswith("SIGABRT while unloading asr-small; from there on")
    assert noted in done.out
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


def test_an_old_library_without_destroy_is_abandoned_and_says_why(lab: Lab, doubles: Doubles) -> None:
    workspace = Workspace(lab, doubles.checkout(lab.folder, destroy=False))
    done = workspace.run("--iterations", "2", "--only", "exp4")
    assert done.code == 0, done.err
    summary = workspace.result("exp4")["summary"]
    assert {summary[key]["outcome"] for key in ("recreate", "restart", "recycle")} == {"completed"}
    why = "this library has no chatllm_destroy: memory is only returned by ending the process"
    assert summary["recreate"]["abandoned"] == {"aligner": why}
    assert f"Destroy+Recreate (abandoned): {why}" in done.out


def test_an_old_library_that_is_to_be_called_has_recreate_unavailable(lab: Lab, doubles: Doubles) -> None:
    workspace = Workspace(lab, doubles.checkout(lab.folder, destroy=False))
    workspace.set_destroy("call")
    done = workspace.run("--iterations", "2", "--only", "exp4", "--methods", "recreate,restart")
    assert done.code == 0, done.err
    summary = workspace.result("exp4")["summary"]
    assert (summary["recreate"]["outcome"], summary["restart"]["outcome"]) == ("unavailable", "completed")
    assert "memory is only returned by ending the process" in summary["recreate"]["sentence"]


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

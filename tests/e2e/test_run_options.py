"""Flags, variables and keys of the file: each reaches the place it is for."""

import json
import re
import shutil
from typing import Any

import pytest
from lab import REPOSITORY, Lab, align, asr, experiment, install_engines, read_json, synthetic

from orchestrator.experiments.storage.records import IterationRecord


def facts(lab: Lab, name: str = "a", method: str = "recreate") -> dict[str, Any]:
    """Return what the worker was told, by the worker's own word."""
    entry = next(each for each in lab.result(name)["iterations"] if each["method"] == method)
    return entry["steps"][0]["facts"]


@pytest.fixture
def probed(lab: Lab) -> Lab:
    """A laboratory whose only model is the probe, with something to say about itself."""
    install_engines(lab.folder)
    lab.write(
        experiment("a", iterations=1),
        models={"small": {"engine": "probe", "threads": 3, "context_length": 512, "language": "English"}},
    )
    return lab


FROM_FILE = {"threads": 3, "context_length": 512, "language": "English"}
FROM_VARIABLES = {"threads": 5, "context_length": 1024, "language": "Chinese"}
FROM_FLAGS = {"threads": 7, "context_length": 2048, "language": "French"}
VARIABLES = {"INFERENCE_THREADS": "5", "CONTEXT_LENGTH": "1024", "ASR_LANGUAGE": "Chinese"}
FLAGS = ["--threads", "7", "--context-length", "2048", "--language", "French"]


def test_flag_wins_over_variable_and_variable_over_file(probed: Lab) -> None:
    for flags, variables, expected in (
        ([], {}, FROM_FILE),
        ([], VARIABLES, FROM_VARIABLES),
        (FLAGS, VARIABLES, FROM_FLAGS),
    ):
        done = probed.run("run", *flags, env=variables)
        assert done.code == 0, done.err
        assert facts(probed).items() >= expected.items()
        assert f"Inference Threads: {expected['threads']}\n" in done.out
        model = probed.result("a")["config"]["steps"][0]["model"]
        assert model.items() >= expected.items()


def test_threads_nobody_set_are_lowered_to_the_cores_and_said(lab: Lab) -> None:
    install_engines(lab.folder)
    lab.write(experiment("a", iterations=1), models={"small": {"engine": "probe"}})
    done = lab.run("run")
    told = facts(lab)
    assert 1 <= told["threads"] <= 6
    assert told["context_length"] == 4096
    lowered = "inference threads: lowered from the default 6 to the" in done.err
    assert lowered == (told["threads"] < 6)


def test_environments_are_there_when_the_worker_starts(lab: Lab) -> None:
    """Read from /proc/PID/environ, which shows what a process was started with, not what it set later."""
    install_engines(lab.folder)
    lab.write(
        experiment(
            "a",
            "recreate",
            "recycle",
            iterations=1,
            env={"MALLOC_ARENA_MAX": "2", "SHARED": "experiment"},
            variants={"one-arena": {"env": {"MALLOC_ARENA_MAX": "1"}, "methods": ["recreate"]}},
        ),
        models={"small": {"engine": "probe", "env": {"OMP_WAIT_POLICY": "passive", "SHARED": "model"}}},
    )
    done = lab.run("run")
    assert done.code == 0, done.err
    results = lab.result("a")
    assert list(results["summary"]) == ["recreate", "recycle", "recreate@one-arena"]
    assert "Destroy+Recreate @one-arena" in done.out
    for method, variant, arenas in (
        ("recreate", None, 2),
        ("recycle", None, 2),
        ("recreate", "one-arena", 1),
    ):
        (entry,) = (e for e in results["iterations"] if (e["method"], e.get("variant")) == (method, variant))
        environment = entry["steps"][0]["facts"]["environ"]
        assert f"MALLOC_ARENA_MAX={arenas}" in environment
        assert "OMP_WAIT_POLICY=passive" in environment
        assert "SHARED=experiment" in environment


def test_only_methods_and_iterations_choose_what_runs(lab: Lab) -> None:
    lab.write(*[experiment(name, "recreate", "reuse", "recycle", iterations=50) for name in "abcd"])
    done = lab.run("run", "--only", "c, a", "--methods", "reuse,recreate", "--iterations", "2")
    assert done.code == 0, done.err
    assert sorted(path.name for path in lab.results.glob("*.json")) == ["a_results.json", "c_results.json"]
    for name in "ac":
        summary = lab.result(name)["summary"]
        assert {key: each["iterations"] for key, each in summary.items()} == {"reuse": 2, "recreate": 2}


def test_a_dry_run_shows_the_plan_and_touches_nothing(lab: Lab) -> None:
    lab.write(experiment("a", "recreate", "recycle", iterations=40, title="Rehearsal"))
    before = sorted(lab.folder.rglob("*"))
    done = lab.run("run", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "lab: the only profile" in done.out.splitlines()[0]
    assert "Rehearsal" in done.out
    assert re.search(r"recreate: 40 iterations, about .+ \(a rough guess\)", done.out)
    assert "Nothing was run." in done.out
    assert sorted(lab.folder.rglob("*")) == before
    assert lab.run("run", "-q", "--iterations", "2").code == 0
    again = lab.run("run", "--dry-run")
    assert re.search(r"recycle: 40 iterations, about .+ \(as measured here before\)", again.out)
    assert len(lab.run_folders()) == 1


def test_the_heap_channel_can_be_switched_off(lab: Lab) -> None:
    lab.write(experiment("a", heap=False, iterations=6), models={"small": synthetic(leak_kib_per_job=256)})
    done = lab.run("run")
    assert done.code == 0, done.err
    for entry in (each for each in lab.entries() if isinstance(each, IterationRecord)):
        for reading in entry.steps[0].readings.values():
            assert (reading.heap_live, reading.heap_held, reading.heap_off) == (None, None, "switched off")
    assert lab.manifest().heap == "switched off"
    assert lab.result("a")["summary"]["recreate"]["leak_rate"]["rate_mb_per_iteration"] > 0.2


def test_recycle_after_three_gives_three_iterations_to_each_process(lab: Lab) -> None:
    lab.write(
        experiment("a", "recycle", recycle_after=3, iterations=7),
        experiment(
            "b", "recycle", recycle_after=2, iterations=3, steps=[asr(), align("other", text="previous")]
        ),
        models={"small": synthetic(leak_kib_per_job=1024), "other": synthetic()},
    )
    done = lab.run("run")
    assert done.code == 0, done.err
    entries = lab.result("a")["iterations"]
    assert [each["steps"][0]["generation"] for each in entries] == [1, 1, 1, 2, 2, 2, 3]
    assert [each["life"] for each in entries] == [1, 2, 3, 1, 2, 3, 1]
    grown = [each["steps"][0]["heap_live_mb"]["after_unload"] for each in entries]
    assert grown[2] - grown[1] == pytest.approx(1.0, abs=0.1)
    assert grown[3] == pytest.approx(grown[0], abs=0.1)
    assert "Fresh process every 3 iterations (baseline)" in done.err
    both = lab.result("b")["iterations"]
    assert [[step["generation"] for step in each["steps"]] for each in both] == [[1, 1], [1, 1], [2, 2]]


def test_old_runs_go_and_the_newest_stay(lab: Lab) -> None:
    lab.write(experiment("a", iterations=1), defaults={"keep_runs": 2})
    seen = []
    for _ in range(3):
        assert lab.run("run", "-q").code == 0
        seen.append(lab.run_folders()[-1].name)
    assert [path.name for path in lab.run_folders()] == seen[1:]


def test_the_profile_is_the_first_thing_said_and_in_every_result_file(lab: Lab) -> None:
    models = {"models": {"small": synthetic()}, "samples": {"tone": {"audio": "tone.wav"}}}
    qwen3 = {**models, "models": {"small": {"engine": "chatllm", "file": "models/gone.bin"}}}
    lab.write(experiment("a", iterations=1), profiles={"qwen3": qwen3, "embedded": models})
    done = lab.run("run")
    assert done.code == 0, done.err
    reason = done.log[0]
    assert reason.startswith("embedded: qwen3 lacks chatllm.cpp/bindings/libchatllm.so and models/gone.bin")
    assert lab.result("a")["profile"] == "embedded"
    assert lab.result("a")["config"]["profile_reason"] == reason
    assert lab.manifest().profile_reason == reason
    assert "Profile: embedded" in done.out


def test_a_changed_sample_of_ours_is_called_a_modified_sample(lab: Lab) -> None:
    samples = REPOSITORY / "samples"
    for name in ("samples.json", "jfk.txt", "jfk.wav", "phone-en.wav", "phone-en.txt"):
        shutil.copy(samples / name, lab.folder / name)
    changed = bytearray((lab.folder / "jfk.wav").read_bytes())
    changed[-1] ^= 1
    (lab.folder / "jfk.wav").write_bytes(changed)
    both = {name: {"audio": f"{name}.wav", "reference": f"{name}.txt"} for name in ("jfk", "phone-en")}
    lab.write(
        *[experiment(name, iterations=1, steps=[asr(sample=name)]) for name in both],
        profiles={"lab": {"models": {"small": synthetic()}, "samples": both}},
    )
    done = lab.run("run")
    assert done.code == 0, done.err
    assert lab.result("jfk")["config"]["steps"][0]["sample"]["state"] == "modified sample"
    assert lab.result("phone-en")["config"]["steps"][0]["sample"]["state"] == "as shipped"
    assert "sample jfk: jfk.wav is a modified sample" in done.err


# ---------------------------------------------------------------------- the other commands


def test_engines_lists_the_broken_one_with_its_error(lab: Lab) -> None:
    install_engines(lab.folder)
    done = lab.run("engines", "--json")
    assert done.code == 0, done.err
    engines = {each["name"]: each for each in map(json.loads, done.out.splitlines())}
    assert {"moonshine", "pocketsphinx", "synthetic", "function", "probe", "broken"} <= engines.keys()
    assert engines["probe"]["error"] is None
    assert engines["probe"]["tasks"] == ["asr"]
    assert "libdecoder.so.7: cannot open shared object file" in engines["broken"]["error"]
    assert engines["synthetic"]["error"] is None
    shown = lab.run("engines")
    assert shown.code == 0
    assert "a third party's" in shown.out
    assert "libdecoder.so.7" in shown.out


def test_init_gives_a_folder_that_runs(lab: Lab) -> None:
    fresh = lab.folder / "fresh"
    done = lab.run("init", fresh)
    assert done.code == 0, done.err
    assert {path.name for path in fresh.iterdir()} >= {"experiments.toml", "samples", "models", "results"}
    plan = lab.run("run", fresh / "experiments.toml", "--dry-run")
    assert plan.code == 0, plan.err
    for number in range(1, 6):
        assert f"exp{number}" in plan.out or f"Experiment {number}" in plan.out
    assert lab.run("init", fresh).code == 2, "it is not empty any more"


def test_version_help_and_schema(lab: Lab) -> None:
    from orchestrator_worker import __version__

    version = lab.run("--version")
    assert (version.code, version.out, version.err) == (0, f"orchestrator {__version__}\n", "")
    helped = lab.run("run", "--help")
    assert helped.code == 0
    for flag in ("--profile", "--only", "--methods", "--resume", "--json", "--dry-run", "--context-length"):
        assert flag in helped.out
    schema = lab.run("schema")
    assert json.loads(schema.out) == read_json(REPOSITORY / "docs" / "experiments.schema.json")


@pytest.mark.engines
def test_the_repository_s_own_file_runs_on_real_engines(lab: Lab) -> None:
    run = ("run", REPOSITORY / "experiments.toml", "--profile", "embedded", "--results", "out")
    done = lab.run(*run, "--only", "exp2", "--methods", "restart", "--iterations", "2")
    assert done.code == 0, done.err
    compared = read_json(lab.folder / "out" / "comparison_results.json")
    assert compared["summary"]["restart"]["reset"] == "none"
    assert "Restart() (no reset)" in done.out
    assert [each["wer_percent"] <= 50 for each in compared["iterations"]] == [True, True]
    done = lab.run(*run, "--only", "exp5", "--iterations", "1")
    assert done.code == 0, done.err
    chained = read_json(lab.folder / "out" / "asr_align_results.json")
    assert [each["method"] for each in chained["iterations"]] == ["recreate", "recycle"]
    for each in chained["iterations"]:
        heard, aligned = each["steps"]
        assert heard["wer_percent"] == 0
        assert len(aligned["words"]) == len(heard["text"].split())
        starts = [word["start_ms"] for word in aligned["words"]]
        assert starts == sorted(starts)

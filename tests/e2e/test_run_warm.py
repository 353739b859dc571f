"""The method ``warm``: each iteration a job in a fresh fork of a process that loaded the model once."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from chatllm_workspace import DIGITS, Workspace
from lab import PATIENCE_S, TEXT, Finished, Lab, align, asr, experiment, synthetic

from doubles import Doubles
from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd

pytestmark = pytest.mark.skipif(
    not (hasattr(os, "pidfd_open") and Path("/proc/self/task").is_dir()),
    reason="warm starts need pidfds and /proc",
)
BASE_MB = 40
ITERATIONS = 5
MODEL = synthetic(may_fork=True, base_kib=BASE_MB * 1024, load_ms=200, tokens=4)
REASONS = {
    "thread": "1 threads of its own run after the load, and a fork copies no threads",
    "shared": "it has writable memory that every fork would share",
}


def warm(lab: Lab, *experiments: dict[str, Any], models: dict[str, Any] | None = None) -> Finished:
    lab.write(*experiments, models=models or {"small": MODEL})
    done = lab.run("run")
    assert done.code == 0, done.err
    return done


def steps(results: dict[str, Any], method: str) -> list[dict[str, Any]]:
    return [each["steps"][-1] for each in results["iterations"] if each["method"] == method]


def test_each_iteration_is_a_fork_and_the_saving_is_measured(lab: Lab) -> None:
    done = warm(lab, experiment("e", "recycle", "warm", iterations=ITERATIONS))
    results = lab.result("e")
    summary, cold = results["summary"]["warm"], results["summary"]["recycle"]
    assert summary["outcome"] == cold["outcome"] == "completed"
    forked = steps(results, "warm")
    assert [each["generation"] for each in forked] == list(range(1, ITERATIONS + 1))
    assert {each["start"] for each in forked} == {"warm"}
    assert {each["text"] for each in forked} == {TEXT}
    # the template is told once: its load, and its memory, which a fork does not have for itself
    told = [each["template"] for each in forked if "template" in each]
    assert len(told) == 1
    assert told[0]["load_s"] >= 0.2
    assert told[0]["rss_mb"] > BASE_MB
    assert summary["templates"]["small"]["started"] == 1
    assert summary["templates"]["small"]["memory_mb"] == pytest.approx(told[0]["rss_mb"], abs=0.001)
    assert summary["max_peak_mb"] < BASE_MB < cold["max_peak_mb"]
    mine = [each for each in results["iterations"] if each["method"] == "warm"]
    for entry, step in zip(mine, forked, strict=True):
        assert entry["memory_mb"] == step["uss_mb"]["after_infer"]
        assert entry["memory_mb"] <= entry["peak_mb"] < BASE_MB < step["rss_mb"]["after_infer"]
    judged = summary["judgement"]
    assert judged["boundary"] == "after_infer"
    assert judged["against_baseline"]["level"]["above_mb"] < -BASE_MB / 2
    assert results["config"]["worker_starts"] == ["exec", "warm"]
    for words in (
        "Method 2: Fork of a process that has synthetic loaded, each iteration",
        "Avg Start and Load (ms)",
        "Template Memory (MB)",
        "Warm: memory, RSS and peak are the pages that a process has for itself",
        "Warm against Recycle (baseline): start and load",
        "4 side by side take",
    ):
        assert words in done.out + done.err, words


def test_other_commands_read_what_was_measured(lab: Lab) -> None:
    warm(lab, experiment("e", "recycle", "warm", iterations=ITERATIONS))
    file = lab.results / "e_results.json"
    analyzed = lab.run("analyze", file, "--json")
    assert analyzed.code == 0, analyzed.err
    assert '"warm"' in analyzed.out
    page = lab.folder / "page.html"
    assert lab.run("report", lab.run_folder, "--out", page).code == 0
    shown = page.read_text()
    assert "Warm against Recycle (baseline)" in shown
    assert "warm: copied from a template" in shown
    assert "do not share with their template" in shown
    compared = lab.run("compare", file, file)
    assert compared.code == 0, compared.err
    assert "warm" in compared.out
    gated = lab.run("run", "--gate", "leak", "--methods", "reuse,warm", "--junit", lab.folder / "j.xml")
    junit = (lab.folder / "j.xml").read_text()
    assert 'name="reuse"' in junit
    assert 'name="warm"' not in junit, "fresh processes are not gated unless they are named"
    assert gated.code in (0, 4), gated.err
    dry = lab.run("run", "--dry-run")
    assert dry.code == 0, dry.err
    assert "warm" in dry.out


@pytest.mark.parametrize("left", list(REASONS))
def test_a_model_that_must_not_be_forked_is_left_out_and_others_go_on(lab: Lab, left: str) -> None:
    models = {"small": MODEL, "unsafe": synthetic(may_fork=True, load_leaves=left)}
    done = warm(
        lab,
        experiment("u", "warm", "recycle", steps=[asr("unsafe")]),
        experiment("e", "warm"),
        models=models,
    )
    summary = lab.result("u")["summary"]
    assert summary["warm"]["outcome"] == "unavailable"
    assert summary["warm"]["not_possible"] is True
    assert summary["warm"]["sentence"].startswith("not possible: ")
    assert REASONS[left] in summary["warm"]["sentence"]
    assert summary["recycle"]["outcome"] == "completed"
    assert lab.result("e")["summary"]["warm"]["outcome"] == "completed"
    assert f"Warm: not possible: {REASONS[left]}" in done.out


def test_an_engine_that_does_not_say_that_it_may_be_forked_is_told_before_anything_starts(lab: Lab) -> None:
    done = warm(lab, experiment("e", "warm", "recycle"), models={"small": synthetic()})
    said = "model small: engine synthetic does not say that it may be forked after a load"
    assert f"not possible: e/warm: {said}" in done.log
    assert f"Warm: not possible: {said}" in done.log
    summary = lab.result("e")["summary"]
    assert summary["warm"]["sentence"] == f"not possible: {said}"
    assert summary["recycle"]["outcome"] == "completed"
    nothing = lab.run("run", "--methods", "warm")
    assert nothing.code == 3, "nothing could run"


FAULTS = {
    "segfault": ("load", "crashed", "template", "SIGSEGV while its template loaded"),
    "raise": (
        "load",
        "failed",
        "template",
        "the load failed in its template: RuntimeError: synthetic fault: raise",
    ),
    "kill": ("run", "crashed", "infer", "SIGKILL"),
}


def test_faults_are_results(lab: Lab) -> None:
    models = {
        how: synthetic(may_fork=True, faults=[{"how": how, "when": when, "job": 1}])
        for how, (when, *_) in FAULTS.items()
    }
    warm(
        lab,
        *(experiment(how, "warm", steps=[asr(how)]) for how in FAULTS),
        experiment("healthy", "warm", steps=[asr("healthy")]),
        models=models | {"healthy": MODEL},
    )
    ends = {each.experiment: each for each in lab.entries() if isinstance(each, SeriesEnd)}
    for how, (_, outcome, phase, cause) in FAULTS.items():
        end = ends[how]
        assert (end.outcome, end.phase, end.iterations) == (outcome, phase, 0), how
        assert cause in (end.cause or ""), how
    assert ends["healthy"].outcome == "completed"


IMPATIENT = """
from orchestrator.cli.app import app
from orchestrator.process.dialogue import Dialogue
from orchestrator_worker.protocol import Run

whole = Dialogue.ask

def ask(dialogue, command, answer, *, timeout_s, **more):
    return whole(dialogue, command, answer, timeout_s=1.0 if isinstance(command, Run) else timeout_s, **more)

Dialogue.ask = ask
app()
"""


def test_a_fork_that_hangs_is_a_result(lab: Lab) -> None:
    """The hang alone can meet the limit: it is short for jobs only, and the only job never ends."""
    model = synthetic(may_fork=True, faults=[{"how": "hang", "when": "run", "job": 1}])
    lab.write(experiment("hang", "warm"), models={"small": model})
    (lab.folder / "impatient.py").write_text(IMPATIENT)
    done = subprocess.run(
        lab.command("run", lab.file, module="impatient"),
        cwd=lab.folder,
        env=lab.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (end,) = [each for each in lab.entries() if isinstance(each, SeriesEnd)]
    assert (end.outcome, end.phase, end.iterations) == ("timeout", "infer", 0)
    assert "no answer within 1 s" in (end.cause or "")


def test_several_models_have_a_template_each(lab: Lab) -> None:
    models = {"small": MODEL, "aligner": synthetic(may_fork=True)}
    chain = experiment("chain", "recycle", "warm", steps=[asr(), align(text="previous"), asr()])
    done = warm(lab, chain, models=models)
    records = [one for one in lab.entries() if isinstance(one, IterationRecord) and one.series == "warm"]
    assert [[step.template is not None for step in one.steps] for one in records] == [
        [True, True, False],
        [False] * 3,
        [False] * 3,
    ], "two steps of one model share its template"
    templates = lab.result("chain")["summary"]["warm"]["templates"]
    assert set(templates) == {"small", "aligner"}
    assert "the template of small" in done.out


def test_chatllm_says_the_same_warm_and_its_weights_count_once(lab: Lab, doubles: Doubles) -> None:
    workspace = Workspace(lab, doubles.checkout(lab.folder))
    done = workspace.run(
        "--only", "exp2", "--methods", "recycle,warm", "--iterations", "3", double="weights=1 context_shows=1"
    )
    assert done.code == 0, done.err
    results = workspace.result("exp2")
    assert {each["outcome"] for each in results["summary"].values()} == {"completed"}
    said = {each["text"] for each in steps(results, "warm")}
    assert said == {f"{DIGITS} inputs1"}, "each fork has a context in which nothing was said before"
    assert said == {each["text"] for each in steps(results, "recycle")}
    assert {each["start"] for each in steps(results, "warm")} == {"warm"}

"""However a worker ends, its method says so, with what was measured before, and everything else goes on."""

from typing import Any

import pytest
from lab import Lab, asr, experiment, synthetic

from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd
from orchestrator.process.sampling.samples import read_samples

PHASES = {"load": "load", "run": "infer", "unload": "unload"}
STRIKES_AT = 2
DEATHS: dict[str, tuple[str, str]] = {
    "abort": ("crashed", "SIGABRT"),
    "segfault": ("crashed", "SIGSEGV"),
    "kill": ("crashed", "SIGKILL"),
    "exit": ("crashed", "exit code 3"),
    "raise": ("failed", "RuntimeError: synthetic fault: raise"),
    "sys_exit": ("failed", "SystemExit: 3"),
    "garbage": ("crashed", "protocol broken: "),
    "garbage_frame": ("crashed", "protocol broken: undecodable message"),
    "oversized_frame": ("crashed", "protocol broken: "),
    "unavailable": ("unavailable", "synthetic fault: unavailable"),
}
HANG_S = 3.0
"""Before the fault the same phases must be through in this time, on a busy machine too."""
HANGS = {
    "hang": ("timeout", "no answer within 3 s"),
    "hang_ignoring_sigterm": ("timeout", "no answer within 3 s"),
    "hang_holding_gil": ("timeout", "no answer within 3 s"),
}
KINDS = [*DEATHS, *HANGS]


def dying(where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return one model a kind of death, and an experiment for each; a healthy one comes last."""
    models = {kind: synthetic(faults=[{"how": kind, "when": where, "job": STRIKES_AT}]) for kind in KINDS}
    experiments = [
        experiment(f"of-{kind}", steps=[asr(kind)], timeout_s=HANG_S if kind in HANGS else 60)
        for kind in KINDS
    ]
    experiments[0]["methods"] = ["recreate", "recycle"]
    return models | {"healthy": synthetic()}, [*experiments, experiment("healthy", steps=[asr("healthy")])]


@pytest.mark.parametrize("where", list(PHASES))
def test_a_death_is_a_result_and_the_rest_goes_on(lab: Lab, where: str) -> None:
    models, experiments = dying(where)
    lab.write(*experiments, models=models)
    done = lab.run("run")
    assert done.code == 0, done.err
    for kind, (outcome, cause) in {**DEATHS, **HANGS}.items():
        check_dead(lab, f"of-{kind}", kind, outcome, PHASES[where], cause, done.out)
    # fresh processes never live to see the second load, job or unload
    assert lab.result(f"of-{KINDS[0]}")["summary"]["recycle"]["outcome"] == "completed"
    healthy = lab.result("healthy")["summary"]["recreate"]
    assert (healthy["outcome"], healthy["iterations"]) == ("completed", 3)
    assert lab.manifest().state == "finished"
    read_samples(lab.run_folder)


def check_dead(lab: Lab, name: str, kind: str, outcome: str, phase: str, cause: str, out: str) -> None:
    results = lab.result(name)
    summary = results["summary"]["recreate"]
    assert summary["outcome"] == outcome
    assert summary["iterations"] == STRIKES_AT - 1
    expected = f"{outcome} at iteration {STRIKES_AT} in phase {phase}: {cause}"
    if outcome == "unavailable":
        expected = f"unavailable: {cause}"
        assert summary["how_to_get_it"] == "take the fault out of the options"
    assert summary["sentence"].startswith(expected)
    assert f"Destroy+Recreate: {expected}" in out
    assert [each["iteration"] for each in results["iterations"] if each["method"] == "recreate"] == [1]
    if kind in ("abort", "segfault"):
        assert "Fatal Python error" in summary["stderr_tail"]
    if kind == "raise":
        assert "RuntimeError: synthetic fault: raise" in summary["stderr_tail"]


def test_a_restart_that_raises_is_named_by_its_phase(lab: Lab) -> None:
    model = synthetic(faults=[{"how": "raise", "when": "restart"}]) | {"engine": "synthetic-restart"}
    lab.write(experiment("a", "restart", "reuse"), models={"small": model})
    done = lab.run("run")
    assert done.code == 0, done.err
    summary = lab.result("a")["summary"]
    assert summary["restart"]["sentence"].startswith("failed at iteration 2 in phase restart: RuntimeError")
    assert summary["reuse"]["outcome"] == "completed"


def test_stderr_tail_are_kept_for_a_crash_a_hang_and_a_broken_pipe(lab: Lab) -> None:
    noise = {"how": "noise", "kib": 2048}
    models = {
        how: synthetic(faults=[{"when": "load", "job": 1, **noise}, {"how": how, "job": 2}])
        for how in ("abort", "hang", "garbage")
    }
    lab.write(*[experiment(how, steps=[asr(how)], timeout_s=HANG_S) for how in models], models=models)
    done = lab.run("run")
    assert done.code == 0, done.err
    for how in models:
        stderr_tail = lab.result(how)["summary"]["recreate"]["stderr_tail"]
        assert "synthetic noise: ggml_backend_load" in stderr_tail, how
        assert len(stderr_tail.encode()) <= 64 * 1024
    assert done.out.count("synthetic noise") <= 3 * len(models), "tables quote a few lines only"


def test_what_had_been_read_of_the_fatal_iteration_is_kept(lab: Lab) -> None:
    fault = {"how": "abort", "when": "unload", "job": 2}
    lab.write(experiment("a"), models={"small": synthetic(faults=[fault])})
    assert lab.run("run").code == 0
    (end,) = (each for each in lab.entries() if isinstance(each, SeriesEnd))
    (step,) = end.partial
    assert list(step.readings) == ["before_load", "after_load", "after_infer"]
    assert step.text == "one two three four"
    assert [each.iteration for each in lab.entries() if isinstance(each, IterationRecord)] == [1]


def test_a_first_load_that_dies_leaves_an_empty_column(lab: Lab) -> None:
    lab.write(
        experiment("a", "recreate", "recycle", "reuse"),
        models={"small": synthetic(faults=[{"how": "segfault", "when": "load"}])},
    )
    done = lab.run("run")
    assert done.code == 0, done.err
    assert done.out.count("crashed at iteration 1 in phase load: SIGSEGV") >= 3
    assert lab.result("a")["iterations"] == []


def test_noise_and_grandchildren_that_keep_the_pipes_end_no_series(lab: Lab) -> None:
    kinds = ("noise", "grandchild", "grandchild_fork")
    faults = [{"how": how, "job": job} for job, how in enumerate(kinds, 1)]
    lab.write(experiment("a"), models={"small": synthetic(faults=faults)})
    done = lab.run("run")
    assert done.code == 0, done.err
    summary = lab.result("a")["summary"]["recreate"]
    assert summary["outcome"] == "completed"
    assert summary["max_tree_peak_mb"] >= summary["max_peak_mb"]


def test_a_worker_that_cannot_start_is_a_crash_in_phase_spawn(lab: Lab) -> None:
    lab.write(
        experiment("a", env={"PYTHONHOME": "/nowhere"}, timeout_s=5.0),
        experiment("b"),
    )
    done = lab.run("run")
    assert done.code == 0, done.err
    sentence = lab.result("a")["summary"]["recreate"]["sentence"]
    assert sentence == "crashed at iteration 1 in phase spawn: exit code 1"
    assert "Fatal Python error" in lab.result("a")["summary"]["recreate"]["stderr_tail"]
    assert lab.result("b")["summary"]["recreate"]["outcome"] == "completed"

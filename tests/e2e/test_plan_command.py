"""``orchestrator plan`` after real runs: a table that the loader takes and a pool follows, reasons, JSON, errors."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path

import pytest
from lab import Lab, experiment, synthetic

from orchestrator.config.load import load_file
from orchestrator.pool.recycling import Recycle

ITERATIONS = 12
LEAK = {"small": synthetic(leak_kib_per_job=4096, leak_source="mmap", base_kib=20_480)}


def measure(lab: Lab, models, *methods: str):
    lab.write(experiment("a", *methods, iterations=ITERATIONS), models=models)
    done = lab.run("run", lab.file)
    assert done.code == 0, done.err
    return done


def test_a_leak_gives_a_table_to_paste_and_the_reasons(lab: Lab) -> None:
    done = measure(lab, LEAK, "reuse", "recycle")
    assert "its reasons: orchestrator plan results\n" in done.out
    planned = lab.run("plan", "--budget", "200MiB", "--workers", "1")
    assert planned.code == 0, planned.err
    table = tomllib.loads(planned.out)["recycle"]
    assert set(table) >= {"max_jobs", "max_rss"}
    base_mb = lab.result("a")["iterations"][0]["memory_mb"]
    assert base_mb + 4 * table["max_jobs"] <= 200
    assert base_mb + 4 * (table["max_jobs"] + 12) > 200, "and not much earlier"
    assert "a/reuse is leak" in planned.err
    assert "recycle after" in planned.err

    pasted = lab.file.read_text() + "\n" + planned.out
    lab.file.write_text(pasted)
    loaded = load_file(lab.file).recycle
    assert loaded is not None
    assert Recycle.from_config(loaded, loaded.models).max_jobs == table["max_jobs"]
    assert Recycle.from_results(lab.results, memory_budget="200MiB", workers=1).max_jobs == table["max_jobs"]


def test_its_fixed_twin_need_not_be_recycled(lab: Lab) -> None:
    measure(lab, {"small": synthetic(base_kib=20_480)}, "reuse", "recycle")
    planned = lab.run("plan", lab.results / "a_results.json", "--budget", "400MiB", "--workers", "1")
    assert planned.code == 0, planned.err
    (limit,) = tomllib.loads(planned.out)["recycle"].items()
    assert limit[0] == "hard_rss"
    assert 130 <= int(limit[1].removesuffix("MiB")) <= 200, "from what it takes, not from the budget"
    assert "Nothing need be recycled" in planned.err


def test_json_is_one_object(lab: Lab) -> None:
    measure(lab, LEAK, "reuse")
    planned = lab.run("plan", lab.run_folder, "--budget", "4GiB", "--workers", "2", "--json")
    assert planned.code == 0, planned.err
    made = json.loads(planned.out)
    (model,) = made["models"]
    assert (made["budget_mb"], made["workers"]) == (4096, 2)
    assert (model["model"], model["series"], model["verdict"]) == ("small", "reuse", "leak")
    assert model["rate_mb_per_job"] == pytest.approx(4, rel=0.1)
    assert model["memory_per_worker_mb"] * model["workers_that_fit"] <= 4096
    assert model["recycle"]["max_jobs"] == model["max_jobs"]


def test_what_cannot_be_planned_is_said_and_is_exit_2(lab: Lab) -> None:
    lab.write(experiment("a"))
    nothing = lab.run("plan")
    assert (nothing.code, nothing.out) == (2, "")
    assert "results" in nothing.err
    measure(lab, LEAK, "reuse")
    small = lab.run("plan", "--budget", "10MiB")
    assert small.code == 2
    assert "does not hold 1 worker" in small.err
    assert lab.run("plan", "--budget", "much").code == 2
    unknown = lab.run("plan", "--model", "smal")
    assert unknown.code == 2
    assert "there are: small" in unknown.err


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="warm starts need /proc")
def test_a_measured_fork_is_compared_and_the_command_that_measures_it_works(lab: Lab) -> None:
    leaks = synthetic(
        leak_kib_per_job=4096, leak_source="mmap", base_kib=40_960, load_ms=300, job_ms=50, may_fork=True
    )
    measure(lab, {"small": leaks}, "reuse", "recycle")
    unknown = lab.run("plan", "--budget", "400MiB", "--workers", "2")
    assert unknown.code == 0, unknown.err
    command = next(line for line in unknown.err.splitlines() if "to measure it:" in line)
    words = shlex.split(command.partition("to measure it: ")[2].rstrip("."))
    assert words[:2] == ["orchestrator", "run"]
    done = lab.run(*words[1:])
    assert done.code == 0, done.err
    # a budget that holds no three cold ones, whatever the machine's speed
    planned = lab.run("plan", "--budget", "140MiB", "--workers", "3")
    assert planned.code == 0, planned.err
    assert '# this line into [profiles.lab.models.small]:\n# start = "warm"' in planned.out
    assert tomllib.loads(planned.out)["recycle"]["max_jobs"] == 1
    assert "does not hold 3 workers" in planned.err
    made = json.loads(lab.run("plan", "--budget", "400MiB", "--workers", "2", "--json").out)["models"][0]
    warm, cold, trim = made["options"]
    assert (warm["option"], cold["option"], trim["option"]) == ("warm", "cold", "trim")
    assert warm["memory_mb"] < cold["memory_mb"]
    assert warm["template_mb"] > 40
    assert cold["max_jobs"] > 1
    is_near = warm["jobs_per_s"] >= 0.9 * cold["jobs_per_s"]
    assert warm["chosen"] is is_near
    assert made["start"] == ("warm" if is_near else "cold")
    limits = Recycle.from_results(lab.results, memory_budget="400MiB", workers=2)
    assert limits.max_jobs == cold["max_jobs"], (
        "whoever cannot ask for a warm start is not recycled for every job"
    )

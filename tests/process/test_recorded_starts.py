"""What a run records of how its workers were started is what was done with each of them."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Plan, Series, Step
from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.experiments.running.observer import RunObserver
from orchestrator.experiments.running.runner import run_plan
from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd
from orchestrator.experiments.storage.run_folder import ResultsFolder
from orchestrator.process import dialogue
from orchestrator.process.fork_server import ForkServer
from orchestrator.process.spawn import child_environment, start_fork_server
from orchestrator.process.worker_process import WorkerProcess

DEADLINE_S = 60.0
ITERATIONS = 2
pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def fork_server() -> Iterator[ForkServer]:
    found = start_fork_server(child_environment({}))
    ends_s = time.monotonic() + DEADLINE_S
    while not found.ready:
        assert time.monotonic() < ends_s
        time.sleep(0.005)
    yield found
    found.close()


def experiment(**options: Any) -> Experiment:
    model = BoundModel(name="small", engine="synthetic", label="small", options=options)
    return Experiment(
        name="exp",
        title="Starts",
        series=[Series("reuse"), Series("recycle")],
        iterations=ITERATIONS,
        recycle_after=1,
        sample_interval_ms=20,
        heap=True,
        timeout_s=DEADLINE_S,
        output="exp.json",
        steps=[Step("synthetic", model, None, None)],
    )


def run(folder: Path, about: Experiment) -> ResultsFolder:
    results = ResultsFolder(folder)
    run_plan(Plan("lab.toml", "lab", "lab: the only profile", [about], keep_runs=1), results, RunObserver())
    return results


def check_a_run_says(start: str, folder: Path) -> None:
    results = run(folder, experiment())
    [recorded] = results.run_folders()
    iterations = [entry for entry in recorded.entries() if isinstance(entry, IterationRecord)]
    assert [(one.series, one.steps[0].generation, one.steps[0].start) for one in iterations] == [
        ("reuse", 1, start),
        ("reuse", 1, start),
        ("recycle", 1, start),
        ("recycle", 2, start),
    ]
    written = json.loads((folder / "exp.json").read_text())
    assert [entry["steps"][0]["start"] for entry in written["iterations"]] == [start] * 2 * ITERATIONS
    assert written["config"]["worker_starts"] == [start]
    assert collect_report(recorded).worker_starts == [start]


def test_experiments_measure_new_interpreters_and_say_so(tmp_path: Path) -> None:
    check_a_run_says("exec", tmp_path)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="workers are forked only where there are pidfds")
def test_a_run_whose_workers_were_forked_would_say_that(
    fork_server: ForkServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Experiments never have a fork server; were it otherwise one day, their results would show it."""

    def forked(*arguments: Any, **options: Any) -> WorkerProcess:
        return WorkerProcess(*arguments, **(options | {"fork_server": fork_server}))

    monkeypatch.setattr(dialogue, "WorkerProcess", forked)
    check_a_run_says("fork", tmp_path)


def test_a_worker_that_dies_at_once_has_said_it_too(tmp_path: Path) -> None:
    [recorded] = run(tmp_path, experiment(faults=[{"how": "abort", "when": "load"}])).run_folders()
    ends = [entry for entry in recorded.entries() if isinstance(entry, SeriesEnd)]
    assert [(end.outcome, [step.start for step in end.partial]) for end in ends] == [
        ("crashed", ["exec"]),
        ("crashed", ["exec"]),
    ]
    assert collect_report(recorded).worker_starts == ["exec"]

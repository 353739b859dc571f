"""Announced times: from the same series, from the same model in another method, from what an engine is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from record_builders import experiment, iteration, model, plan, step, step_record

from orchestrator.cli.terminal.progress import IterationProgress
from orchestrator.config.model import BoundModel
from orchestrator.experiments.running.estimate import READING_S, SPAWN_S, estimate
from orchestrator.experiments.storage.manifest import make_manifest
from orchestrator.experiments.storage.records import Phases, SeriesEnd, SeriesStart
from orchestrator.experiments.storage.run_folder import ResultsFolder

LOAD_S, JOB_S = 4.0, 0.25


def test_an_engine_that_is_told_what_to_take_takes_that(tmp_path: Path) -> None:
    options = {"load_ms": 400, "first_token_ms": 20, "tokens": 5, "token_ms": 10, "job_ms": 40}
    told = step(of=BoundModel(name="m", engine="synthetic", label="M", options=options))
    about = experiment("reuse", "recreate", "recycle", steps=[told], iterations=20)
    found = estimate(plan(about), ResultsFolder(tmp_path))
    assert found["exp2", "reuse"].seconds == pytest.approx(SPAWN_S + 0.4 + 20 * (0.1 + READING_S))
    assert found["exp2", "recreate"].seconds == pytest.approx(SPAWN_S + 20 * (0.5 + READING_S))
    assert found["exp2", "recycle"].seconds == pytest.approx(20 * (SPAWN_S + 0.5 + READING_S))
    varied = experiment("recreate", steps=[told], iterations=20, jobs_per_load=(1, 3))
    assert estimate(plan(varied), ResultsFolder(tmp_path))["exp2", "recreate"].seconds == pytest.approx(
        SPAWN_S + 20 * (0.4 + 2 * 0.1 + READING_S)
    )


def test_a_method_that_never_ran_is_estimated_from_the_same_model_in_another(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    about = experiment("recreate", "reuse", iterations=40)
    run = results.new_run()
    run.save(make_manifest(plan(about), run_id=run.run_id, files=[], samples=[]))
    run.append(SeriesStart("exp2", "recreate"))
    for number in range(1, 6):
        phases = Phases(spawn_s=0.5 if number == 1 else None, load_s=LOAD_S, infer_s=JOB_S)
        made = step_record(about.steps[0], (100.0, 200.0, 220.0, 110.0), phases=phases)
        run.append(iteration(number, made, memory_mb=110.0))
    run.append(SeriesEnd("exp2", "recreate", "completed", 5, elapsed_s=25.0))
    found = estimate(plan(about), results)
    assert found["exp2", "recreate"].seconds == pytest.approx(40 * 5.0), "its own pace"
    assert found["exp2", "reuse"].seconds == pytest.approx(0.5 + LOAD_S + 40 * (JOB_S + READING_S))
    assert found["exp2", "reuse"].measured
    other = experiment("reuse", steps=[step(of=model("another"))], iterations=40)
    assert not estimate(plan(other), results)["exp2", "reuse"].measured


def test_the_load_of_the_first_iteration_is_not_expected_again() -> None:
    now = [0.0]
    progress = IterationProgress(1, 100, lambda: now[0])
    now[0] = 10.0
    progress.reached(1)
    assert progress.left_s == pytest.approx(990.0), "nothing else is known yet"
    for number in range(2, 12):
        now[0] += 0.5
        progress.reached(number)
    assert progress.left_s == pytest.approx(0.5 * 89)

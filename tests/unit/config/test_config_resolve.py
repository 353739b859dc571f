"""From file to plan: defaults, lookups, and files that give no plan."""

from __future__ import annotations

from pathlib import Path

import msgspec
from resolved_plans import VARIANTS, Resolved, model_of, problems_of, series_of

from orchestrator.config.types import Plan


def test_defaults(right_text: str, resolved: Resolved) -> None:
    plan = resolved(right_text)
    experiment = plan.experiments[1]
    assert (plan.keep_runs, plan.problems) == (20, [])
    assert series_of(experiment) == ["recreate", "recycle"]
    assert (experiment.iterations, experiment.recycle_after, experiment.sample_interval_ms) == (100, 1, 20)
    assert (experiment.heap, experiment.timeout_s) == (True, 600.0)
    assert (experiment.title, experiment.output) == ("two", "two_results.json")
    model = model_of(plan)
    assert (model.name, model.label, model.threads, model.threads_note) == ("asr-small", "asr-small", 6, "")
    assert (model.context_length, model.language, model.file, model.library) == (4096, None, None, None)


def test_steps_are_looked_up(right_text: str, resolved: Resolved, tmp_path: Path) -> None:
    asr, align = resolved(right_text).experiments[1].steps
    assert (asr.task, asr.model.engine, asr.text) == ("asr", "moonshine", None)
    assert (align.task, align.model.engine, align.text) == ("align", "pocketsphinx", "previous")
    assert asr.sample is not None
    assert asr.sample.audio == str(tmp_path / "samples/phone.wav")
    assert asr.sample.reference_file == str(tmp_path / "samples/phone.txt")


def test_an_align_step_takes_the_reference_when_it_says_nothing(right_text: str, resolved: Resolved) -> None:
    plan = resolved(right_text.replace('text = "previous"\n', ""))
    assert plan.experiments[1].steps[1].text == "reference"


def test_a_file_without_experiments_gives_no_plan(resolved: Resolved) -> None:
    text = 'schema = 1\n[profiles.embedded.models.m]\nengine = "synthetic"\n'
    assert [problem.key_path for problem in problems_of(lambda: resolved(text))] == ["$.experiment"]


def test_a_profile_without_models_gives_no_plan(right_text: str, resolved: Resolved) -> None:
    text = right_text + "[profiles.bare]\niterations = 3\n"
    [problem] = problems_of(lambda: resolved(text, profile="bare"))
    assert problem.key_path == "$.profiles.bare.models"


def test_a_plan_can_be_kept_in_a_manifest(right_text: str, resolved: Resolved) -> None:
    plan = resolved(right_text + VARIANTS)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan

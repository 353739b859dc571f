"""A run is planned for with one budget, whenever and wherever that is done: free memory moves, its figures do not."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner
from written_runs import Written, experiment, iterations

import orchestrator.experiments.planning.recycle_plan
import orchestrator.experiments.storage.manifest
from orchestrator.cli.app import app
from orchestrator.cli.closing import recycling
from orchestrator.experiments.reporting.report_content import collect_report

GB = 1024**3


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """A run with a leak, on a machine that has less free memory each time it is asked."""
    free = itertools.count(8 * GB, -GB // 16)
    for module in (
        orchestrator.experiments.planning.recycle_plan,
        orchestrator.experiments.storage.manifest,
    ):
        monkeypatch.setattr(module, "free_budget_bytes", lambda: next(free))
    run = Written(tmp_path, experiment("restart", "recycle"))
    run.add("restart", iterations("restart", 40, 0.5))
    run.add("recycle", iterations("recycle", 40, 0.0))
    return run


def command_says(results: Path) -> object:
    done = CliRunner().invoke(app, ["plan", str(results), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["models"]


def test_page_last_screen_and_command_say_the_same(written: Written, tmp_path: Path) -> None:
    page, again = collect_report(written.run).plan, collect_report(written.run).plan
    screen = recycling(tmp_path)
    assert page is not None
    assert screen is not None
    assert page == again
    assert page.budget_mb == 8 * 1024
    assert (screen.models, screen.workers) == (page.models, page.workers)
    assert page.models[0].max_rss_mb is not None
    assert command_says(tmp_path) == msgspec.to_builtins(page.models)


def test_on_another_machine_the_command_takes_what_is_free_there(written: Written, tmp_path: Path) -> None:
    here = command_says(tmp_path)
    manifest = written.run.manifest()
    written.run.save(msgspec.structs.replace(manifest, host={**manifest.host, "memory_total_bytes": 1}))
    assert command_says(tmp_path) != here
    assert collect_report(written.run).plan == collect_report(written.run).plan, "the page is of the run"


def test_a_run_of_an_earlier_version_is_planned_for_with_what_is_free(
    written: Written, tmp_path: Path
) -> None:
    written.run.save(msgspec.structs.replace(written.run.manifest(), budget_bytes=None))
    assert recycling(tmp_path) is not None

"""``run --locate`` after a run that has leaked: what hinders it is said, and the run has ended as it has."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from written_runs import Written, experiment, iterations

import orchestrator.locating.tracers
import orchestrator.locating.work
from orchestrator.cli.located_after import locate_leaks
from orchestrator.config.types import Plan
from orchestrator.experiments.results.run_results import load_run


def looked(*_: object) -> object:
    """Say that nothing is missing."""
    return SimpleNamespace(lacking=lambda *_: None, audio={}, environment=lambda _: {})


def no_room(*_: object) -> object:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("look", "said"),
    [(looked, "located: "), (no_room, "No space left")],
    ids=["link in the way", "full disk"],
)
def test_what_hinders_it_costs_no_run_its_exit_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    look: Callable[..., object],
    said: str,
) -> None:
    run = Written(tmp_path, experiment("restart"))
    run.add("restart", iterations("restart", 40, 0.5))
    plan = Plan(
        file="/study/experiments.toml",
        profile="embedded",
        profile_reason="",
        experiments=[experiment("restart")],
        keep_runs=20,
    )
    monkeypatch.setattr(orchestrator.locating.work, "look", look)
    monkeypatch.setattr(orchestrator.locating.tracers, "choose_tracer", lambda: None)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run.path / "located").symlink_to(elsewhere)
    judged = load_run(run.path)["exp2"].summary["restart"].judgement
    assert judged is not None
    assert judged.verdict == "leak"
    locate_leaks(plan, tmp_path, [judged], as_json=False)
    told = capsys.readouterr().err
    assert told.startswith("not located: ")
    assert said in told
    assert list(elsewhere.iterdir()) == []

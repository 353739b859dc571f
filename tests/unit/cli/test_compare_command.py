"""The command line of compare: which runs are on which side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from orchestrator.cli.commands import compare_command
from orchestrator.cli.commands.compare_command import COMMAND, compare
from orchestrator.experiments.comparing.comparison import Comparison


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What compare was asked to hold against each other, by name."""
    seen: list[list[str]] = []

    def loaded(path: Path, *, every: bool) -> list[str]:
        return [f"{path}/{number}" for number in (1, 2)] if every else [str(path)]

    def compared(first: list[str], second: list[str], *, smallest_share: float) -> Comparison:
        seen.extend([first, second, [str(smallest_share)]])
        return Comparison(rows=[], verdicts=[], warnings=[], runs=(len(first), len(second)))

    monkeypatch.setattr("orchestrator.experiments.results.run_results.load_runs", loaded)
    monkeypatch.setattr("orchestrator.experiments.comparing.comparison.compare_runs", compared)
    return seen


def run(*arguments: str) -> None:
    app = typer.Typer()
    app.command("compare", cls=COMMAND)(compare)
    app(list(arguments), standalone_mode=False)


@pytest.mark.parametrize(
    ("arguments", "first", "second"),
    [
        ("a b", ["a"], ["b"]),
        ("a1 a2 a3 --against b1 b2 b3", ["a1", "a2", "a3"], ["b1", "b2", "b3"]),
        ("--json a1 a2 --against b1", ["a1", "a2"], ["b1"]),
        ("a1 --against b1 b2 --json", ["a1"], ["b1", "b2"]),
        ("a1 --against b1 --against b2", ["a1"], ["b1", "b2"]),
        ("before after --all-runs", ["before/1", "before/2"], ["after/1", "after/2"]),
    ],
)
def test_each_side_is_what_was_named_for_it(
    sides: list[list[str]], arguments: str, first: list[str], second: list[str]
) -> None:
    run(*arguments.split())
    assert sides[:2] == [first, second]


def test_the_smallest_difference_is_per_cent(sides: list[list[str]]) -> None:
    run("a", "b", "--smallest", "5")
    assert sides[2] == ["0.05"]


@pytest.mark.parametrize("arguments", ["a", "a b c"])
def test_runs_without_a_second_side_are_refused_with_the_cure(arguments: str) -> None:
    with pytest.raises(typer.BadParameter, match="compare A1 A2 A3 --against B1 B2 B3"):
        compare_command._sides([Path(name) for name in arguments.split()], None)


def test_a_page_is_written_of_both_sides_by_their_names(
    sides: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        "orchestrator.experiments.reporting.comparison_report.write_comparison",
        lambda *arguments: seen.extend(arguments),
    )
    page = tmp_path / "page.html"
    run("a1", "a2", "--against", "b1", "--report", str(page))
    assert seen[:3] == [page, [("a1", "a1"), ("a2", "a2")], [("b1", "b1")]]
    printed = capsys.readouterr()
    assert f"report: {page}" in printed.err
    assert str(page) not in printed.out


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("nowhere/page.html", "there is no folder"),
        (".", "is a folder; name a file"),
        ("old.json", "is one of the runs"),
        ("linked.json", "is one of the runs"),
    ],
)
def test_a_page_never_takes_the_place_of_a_run(page: str, said: str, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text("{}")
    (tmp_path / "linked.json").symlink_to(old)
    with pytest.raises(typer.BadParameter, match=said):
        compare_command._check_page(tmp_path / page, [tmp_path / "gone", old])


def test_a_page_may_replace_an_older_one(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html>\nold")
    run_file = tmp_path / "run.json"
    run_file.write_text("{}")
    compare_command._check_page(page, [run_file])

"""The table of commands says what the commands themselves say, and finds each of them."""

import inspect
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import orchestrator.cli.commands
from orchestrator.cli.app import app
from orchestrator.cli.command_table import SUMMARIES

MODULES = sorted(path.stem for path in Path(orchestrator.cli.commands.__file__).parent.glob("*_command.py"))


def test_every_module_is_a_command() -> None:
    assert sorted(f"{name}_command" for name in SUMMARIES) == MODULES


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_summary_is_the_first_paragraph_of_the_command(name: str) -> None:
    group = get_command(app)
    command = group.get_command(typer.Context(group), name)
    assert command.name == name
    assert " ".join(inspect.cleandoc(command.help).split("\n\n")[0].split()) == SUMMARIES[name]


def test_help_has_every_summary_in_full_and_in_order() -> None:
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    words = " ".join(shown.stdout.split())
    places = [words.index(f"{name} {summary}") for name, summary in SUMMARIES.items()]
    assert places == sorted(places)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_a_command_shows_its_own_help(flag: str) -> None:
    shown = CliRunner().invoke(app, ["plan", flag])
    assert shown.exit_code == 0
    assert SUMMARIES["plan"] in " ".join(shown.stdout.split()), "[recycle] is no markup"
    assert "--budget" in shown.stdout


def test_an_unknown_command_is_told_its_neighbour() -> None:
    told = CliRunner().invoke(app, ["analyse"])
    assert told.exit_code == 2
    assert "No such command 'analyse'" in told.stderr
    assert "'analyze'" in told.stderr


def test_nothing_at_all_is_wrong_usage_and_shows_the_help() -> None:
    told = CliRunner().invoke(app, [])
    assert told.exit_code == 2
    assert SUMMARIES["run"] in told.output

"""``orchestrator init``: what it writes, what it refuses, what it never overwrites."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

import orchestrator
from orchestrator.cli.commands.init_command import init
from orchestrator.config.load import load_file
from orchestrator.config.overrides import Overrides
from orchestrator.config.resolve import resolve
from orchestrator.config.template import SCHEMA_NAME, TEMPLATE_NAMES, start_folder, template_files
from orchestrator.errors import ConfigError

TOP = Path(__file__).parents[3]


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_checkout_has_every_file() -> None:
    assert template_files() == {name: TOP / name for name in TEMPLATE_NAMES}


def test_the_wheel_is_told_to_carry_every_file() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {name: f"orchestrator/template/{name}" for name in TEMPLATE_NAMES}


def test_a_wheel_has_them_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "orchestrator"
    start_folder(package / "template")
    monkeypatch.setattr(orchestrator, "__file__", str(package / "__init__.py"))
    assert template_files() == {name: package / "template" / name for name in TEMPLATE_NAMES}
    (package / "template" / "samples" / "jfk.wav").unlink()
    with pytest.raises(ConfigError, match=r"samples/jfk\.wav: missing in this installation"):
        template_files()


def test_a_new_folder_can_be_run_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "some" / "where"
    init(folder)
    assert files_in(folder) == {*TEMPLATE_NAMES, SCHEMA_NAME}
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [str(folder / name) for name in (*TEMPLATE_NAMES, SCHEMA_NAME)]
    assert f"orchestrator run {folder / 'experiments.toml'}" in printed.err
    file = folder / "experiments.toml"
    plan = resolve(load_file(file), file, Overrides(), {}, 2)
    assert plan.profile == "embedded"
    assert all(step.sample and Path(step.sample.audio).is_file() for step in plan.experiments[4].steps)


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ConfigError, match="the folder is not empty") as caught:
        init(tmp_path)
    assert "--force" in str(caught.value)
    assert files_in(tmp_path) == {"mine.txt"}


def test_force_adds_what_is_missing_and_says_what_it_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiments.toml").write_text("mine")
    init(tmp_path, force=True)
    assert (tmp_path / "experiments.toml").read_text() == "mine"
    assert files_in(tmp_path) == {*TEMPLATE_NAMES, SCHEMA_NAME}
    printed = capsys.readouterr()
    assert f"kept as it is: {tmp_path / 'experiments.toml'}" in printed.err
    assert str(tmp_path / "experiments.toml") not in printed.out


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_the_way(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="cannot write") as caught:
        start_folder(tmp_path / name)
    assert str(tmp_path / "file") in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


def schema_named_in(file: Path) -> Path:
    """The schema that an editor takes for ``file``: its first line names it, relative to the file."""
    first = file.read_text("utf-8").splitlines()[0]
    assert first.startswith("#:schema "), first
    return file.parent / first.removeprefix("#:schema ")


def test_a_new_file_names_the_schema_beside_it(tmp_path: Path) -> None:
    start_folder(tmp_path)
    named = schema_named_in(tmp_path / "experiments.toml")
    assert named.resolve() == tmp_path / SCHEMA_NAME
    validator = jsonschema.Draft202012Validator(json.loads(named.read_text("utf-8")))
    document = tomllib.loads((tmp_path / "experiments.toml").read_text("utf-8"))
    validator.validate(document)
    document["experiment"][0]["iteratons"] = 3
    assert [error.message for error in validator.iter_errors(document)]


@pytest.mark.parametrize(
    "file", [*sorted(TOP.glob("examples/*/experiments.toml")), TOP / "experiments.toml"], ids=str
)
def test_each_file_of_ours_names_its_schema_and_is_valid(file: Path) -> None:
    schema = json.loads(schema_named_in(file).read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(tomllib.loads(file.read_text("utf-8")))

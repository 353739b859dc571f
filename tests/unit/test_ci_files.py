"""action.yml and the CI examples of the docs are what GitHub and GitLab take, and use flags that there are."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.main import get_command

from orchestrator.cli.app import app

pytest.importorskip("check_jsonschema", reason="check-jsonschema, of the extra 'dev', is not installed")
yaml = pytest.importorskip("ruamel.yaml", reason="it comes with check-jsonschema")

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs/howto/ci-gate.md"
SCHEMAS = {
    "action.yml": "github-actions",
    ".github/workflows/memory.yml": "github-workflows",
    ".gitlab-ci.yml": "gitlab-ci",
}


def texts() -> dict[str, str]:
    """The documents by the name of their file: ours, and those of the page."""
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return {"action.yml": (TOP / "action.yml").read_text("utf-8"), **dict(blocks)}


def parsed(text: str) -> dict[str, Any]:
    # YAML 1.2 as GitHub and GitLab read it: `on` is a word
    found: dict[str, Any] = yaml.YAML(typ="safe", pure=True).load(text)
    return found


def schema(name: str) -> dict[str, Any]:
    place = files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json"
    found: dict[str, Any] = json.loads(place.read_text("utf-8"))
    return found


def action() -> dict[str, Any]:
    return parsed(texts()["action.yml"])


def test_the_page_shows_both_systems() -> None:
    assert set(texts()) == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_document_is_what_its_system_takes(name: str) -> None:
    jsonschema.validate(parsed(texts()[name]), schema(SCHEMAS[name]))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("action.yml", ("using: composite", "using: compost")),
        (".github/workflows/memory.yml", ("runs-on:", "runs-at:")),
        (".gitlab-ci.yml", ("when: always", "when: perhaps")),
    ],
)
def test_the_schemas_are_awake(name: str, change: tuple[str, str]) -> None:
    text = texts()[name]
    assert change[0] in text
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(parsed(text.replace(*change)), schema(SCHEMAS[name]))


def scripts() -> Iterator[str]:
    for step in action()["runs"]["steps"]:
        if "run" in step:
            yield step["run"]


@pytest.mark.parametrize("script", list(scripts()), ids=["install", "run"])
def test_a_script_of_the_action_is_bash_and_takes_no_input_as_code(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "${{" not in script


def test_every_input_is_used_and_every_used_one_is_declared() -> None:
    text = texts()["action.yml"]
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(action()["inputs"])
    given = parsed(texts()[".github/workflows/memory.yml"])["jobs"]["leaks"]["steps"][-1]["with"]
    assert set(given) <= set(action()["inputs"])


def flags_of(command: str) -> set[str]:
    group: Any = get_command(app)
    return {option for each in group.commands[command].params for option in each.opts}


def test_the_flags_are_those_of_run() -> None:
    said = set(re.findall(r"--[a-z-]+", "\n".join(scripts())))
    for line in parsed(texts()[".gitlab-ci.yml"])["leaks"]["script"]:
        words = shlex.split(line)
        if words[0] == "orchestrator":
            assert words[1] == "run"
            said |= {word for word in words if word.startswith("--")}
    assert said
    assert said <= flags_of("run")


def run_step(tmp_path: Path, exit_code: int, **inputs: str) -> tuple[int, list[str], str]:
    """Run the action's second script with a python that writes down its arguments; return what came of it."""
    argv = tmp_path / "argv"
    stand_in = tmp_path / "python"
    stand_in.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(argv))}\nexit {exit_code}\n')
    stand_in.chmod(0o755)
    output = tmp_path / "output"
    declared = {name.upper(): each["default"] for name, each in action()["inputs"].items()}
    environment = declared | {name.upper(): value for name, value in inputs.items()}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", list(scripts())[1]],
        cwd=tmp_path,
        env=environment | {"PATH": f"{tmp_path}:/usr/bin:/bin", "GITHUB_OUTPUT": str(output)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, argv.read_text().splitlines(), output.read_text()


def test_the_action_runs_the_experiments_and_keeps_the_exit_code(tmp_path: Path) -> None:
    code, argv, output = run_step(tmp_path, 4)
    assert (code, output) == (4, "exit-code=4\nreport=results/report.html\n")
    assert argv[:3] == ["-m", "orchestrator", "run"]
    assert "--only" not in argv
    assert (tmp_path / "results").is_dir()


def test_an_input_is_one_word_whatever_it_holds(tmp_path: Path) -> None:
    hostile = "a b; touch owned $(touch owned)"
    code, argv, _ = run_step(tmp_path, 0, file=hostile, only="exp2,exp4", iterations="40")
    assert code == 0
    assert argv[3] == hostile
    assert argv[argv.index("--only") + 1] == "exp2,exp4"
    assert argv[argv.index("--iterations") + 1] == "40"
    assert not (tmp_path / "owned").exists()

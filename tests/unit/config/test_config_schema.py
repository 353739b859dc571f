"""The committed JSON Schema is the one made from the types, and it means what the walk means."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.cli.commands.schema_command import schema as schema_command
from orchestrator.config.schema import DIALECT, json_schema, schema_text
from orchestrator.config.walk import problems_of_shape

TOP = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema())


def test_the_committed_file_is_the_one_made() -> None:
    committed = (TOP / "docs/experiments.schema.json").read_text("utf-8")
    assert committed == schema_text(), "run: orchestrator schema > docs/experiments.schema.json"


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    schema_command()
    assert capsys.readouterr().out == schema_text()


def test_it_is_a_schema() -> None:
    made = json_schema()
    jsonschema.Draft202012Validator.check_schema(made)
    assert made["$schema"] == DIALECT
    assert made["title"] == "experiments.toml"
    assert '"null"' not in json.dumps(made)


def test_every_key_is_described() -> None:
    made = json_schema()
    for name, table in made["$defs"].items():
        assert table["description"], name
        for key, shape in table["properties"].items():
            assert "description" in shape or "$ref" in shape, f"{name}.{key}"


def test_our_own_file_is_valid(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(tomllib.loads((TOP / "experiments.toml").read_text("utf-8")))


WRONG: list[Callable[[dict[str, Any]], Any]] = [
    lambda document: document.pop("schema"),
    lambda document: document.update(schema=2),
    lambda document: document.update(experiments=[]),
    lambda document: document["experiment"][0].update(iterations="6"),
    lambda document: document["experiment"][0].update(iterations=0),
    lambda document: document["experiment"][0].update(iterations=True),
    lambda document: document["experiment"][0].update(methods=["recicle"]),
    lambda document: document["experiment"][0].update(methods=[]),
    lambda document: document["experiment"][0].update(name="a/b"),
    lambda document: document["experiment"][0].update(output="x.txt"),
    lambda document: document["experiment"][0].pop("steps"),
    lambda document: document["experiment"][0]["steps"][0].update(modle="x"),
    lambda document: document["profiles"]["qwen3"]["models"]["asr-small"].pop("engine"),
    lambda document: document["profiles"]["qwen3"]["models"]["asr-small"].update(format="xml"),
    lambda document: document["profiles"]["qwen3"].update(env={"A=B": "1"}),
    lambda document: document.update(recycle={"max_rss": "1 TB"}),
    lambda document: document.update(recycle={"jitter": 2}),
]


@pytest.mark.parametrize("change", WRONG)
def test_wrong_documents_are_not_valid_and_the_walk_agrees(
    right: dict[str, Any], validator: jsonschema.Draft202012Validator, change: Callable[[dict[str, Any]], Any]
) -> None:
    assert validator.is_valid(right)
    change(right)
    assert not validator.is_valid(right)
    assert problems_of_shape(right)

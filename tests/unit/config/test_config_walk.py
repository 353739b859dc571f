"""Problems of shape: each kind, its exact key path, what was found, what is allowed, the nearest name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orchestrator.config.types import ExperimentsFile
from orchestrator.config.walk import problems_of_shape
from orchestrator.errors import ConfigProblem

Change = Callable[[dict[str, Any]], None]


def setting(*keys: str | int, to: object) -> Change:
    """A change that sets one value, tables in between being made."""

    def change(document: dict[str, Any]) -> None:
        node: Any = document
        for key in keys[:-1]:
            node = node[key] if isinstance(key, int) else node.setdefault(key, {})
        node[keys[-1]] = to

    return change


def without(*keys: str | int) -> Change:
    def change(document: dict[str, Any]) -> None:
        node: Any = document
        for key in keys[:-1]:
            node = node[key]
        del node[keys[-1]]

    return change


SMALL = ("profiles", "qwen3", "models", "asr-small")
WRONG: dict[str, tuple[Change, str, list[str]]] = {
    "unknown key at the top": (
        setting("experiments", to=[]),
        "$.experiments",
        ["unknown key", 'did you mean "experiment"?', "profiles"],
    ),
    "unknown key in a step": (
        setting("experiment", 1, "steps", 0, "modle", to="asr-small"),
        "$.experiment[1].steps[0].modle",
        ["unknown key", 'did you mean "model"?', "options, sample, task, text"],
    ),
    "unknown key, nothing near": (
        setting("defaults", "zzz", to=1),
        "$.defaults.zzz",
        ["unknown key (allowed: env, heap, iterations"],
    ),
    "unknown key that needs quotes": (
        setting(*SMALL, "a b", to=1),
        '$.profiles.qwen3.models.asr-small."a b"',
        ["unknown key"],
    ),
    "dash for underscore": (
        setting("defaults", "recycle-after", to=1),
        "$.defaults.recycle-after",
        ['did you mean "recycle_after"?'],
    ),
    "keep_runs belongs to a run": (
        setting("experiment", 0, "keep_runs", to=3),
        "$.experiment[0].keep_runs",
        ["unknown key"],
    ),
    "string for an integer": (
        setting("defaults", "iterations", to="6"),
        "$.defaults.iterations",
        ['expected an integer, found the string "6"'],
    ),
    "float for an integer": (
        setting("defaults", "iterations", to=6.0),
        "$.defaults.iterations",
        ["expected an integer, found the number 6.0"],
    ),
    "true for an integer": (
        setting("defaults", "iterations", to=True),
        "$.defaults.iterations",
        ["expected an integer, found true"],
    ),
    "true for a number": (
        setting("defaults", "timeout_s", to=True),
        "$.defaults.timeout_s",
        ["a number", "found true"],
    ),
    "integer for a bool": (
        setting("defaults", "heap", to=1),
        "$.defaults.heap",
        ["expected true or false, found the number 1"],
    ),
    "list for a string": (
        setting(*SMALL, "file", to=[]),
        "$.profiles.qwen3.models.asr-small.file",
        ["found a list"],
    ),
    "date for a string": (
        setting(*SMALL, "label", to=msgspec.toml.decode(b"d = 1979-05-27")["d"]),
        "$.profiles.qwen3.models.asr-small.label",
        ["expected a string, found the date or time 1979-05-27"],
    ),
    "string for a table": (
        setting(*SMALL, to="moonshine"),
        "$.profiles.qwen3.models.asr-small",
        ["expected a table"],
    ),
    "table for a list": (setting("experiment", to={}), "$.experiment", ["expected a list, found a table"]),
    "string in a list of tables": (
        setting("experiment", 0, "steps", 0, to="asr"),
        "$.experiment[0].steps[0]",
        ["a table"],
    ),
    "string for a list": (
        setting("experiment", 0, "methods", to="recreate"),
        "$.experiment[0].methods",
        ["a list"],
    ),
    "method misspelt": (
        setting("experiment", 0, "methods", 1, to="recicle"),
        "$.experiment[0].methods[1]",
        ['"recicle" is not allowed here', 'did you mean "recycle"?', "recreate, recycle, restart, reuse"],
    ),
    "method a number": (
        setting("experiment", 0, "methods", 1, to=3),
        "$.experiment[0].methods[1]",
        ["the number 3 is not allowed here", '"recreate"'],
    ),
    "unknown format": (
        setting(*SMALL, "format", to="xml"),
        "$.profiles.qwen3.models.asr-small.format",
        ['"xml" is not allowed here (allowed: json, srt)'],
    ),
    "schema true": (setting("schema", to=True), "$.schema", ["true is not allowed here (allowed: 1)"]),
    "schema 1.0": (setting("schema", to=1.0), "$.schema", ["the number 1.0 is not allowed here"]),
    "schema missing": (without("schema"), "$.schema", ["missing"]),
    "zero iterations": (
        setting("defaults", "iterations", to=0),
        "$.defaults.iterations",
        ["0 is out of range (allowed: at least 1)"],
    ),
    "no time at all": (
        setting("defaults", "timeout_s", to=0),
        "$.defaults.timeout_s",
        ["0 is out of range (allowed: more than 0)"],
    ),
    "not a number": (
        setting("defaults", "timeout_s", to=float("nan")),
        "$.defaults.timeout_s",
        ["nan", "finite"],
    ),
    "infinite": (
        setting("defaults", "timeout_s", to=float("inf")),
        "$.defaults.timeout_s",
        ["inf", "finite"],
    ),
    "share over 1": (
        setting("recycle", "jitter", to=1.5),
        "$.recycle.jitter",
        ["1.5 is out of range (allowed: at least 0 and at most 1)"],
    ),
    "beyond 64 bits": (
        setting("defaults", "iterations", to=10**30),
        "$.defaults.iterations",
        ["out of range", "64 bits"],
    ),
    "options beyond 64 bits": (
        setting(*SMALL, "options", to={"a": [{"b": 10**30}]}),
        "$.profiles.qwen3.models.asr-small.options.a[0].b",
        ["64 bits"],
    ),
    "size of the wrong type": (
        setting("recycle", "max_rss", to=1.5),
        "$.recycle.max_rss",
        ["expected an integer or a string, found the number 1.5"],
    ),
    "size of the wrong unit": (
        setting("recycle", "hard_rss", to="1 TB"),
        "$.recycle.hard_rss",
        ['"1 TB" cannot be used here', '"1.5GiB"'],
    ),
    "name with a slash": (
        setting("experiment", 0, "name", to="a/b"),
        "$.experiment[0].name",
        ['"a/b" cannot be used here', "letters, digits"],
    ),
    "name with a line break": (
        setting("experiment", 0, "name", to="one\n"),
        "$.experiment[0].name",
        [r"'one\n'"],
    ),
    "output in a folder": (
        setting("experiment", 0, "output", to="../x.json"),
        "$.experiment[0].output",
        ["ends in .json"],
    ),
    "profile name with a blank": (
        setting("profiles", "my own", to={}),
        '$.profiles."my own"',
        ["letters, digits"],
    ),
    "no name of a variable": (
        setting("defaults", "env", "A=B", to="1"),
        '$.defaults.env."A=B"',
        ["environment variable"],
    ),
    "value of a variable": (setting("defaults", "env", "A", to=1), "$.defaults.env.A", ["expected a string"]),
    "NUL in a path": (setting(*SMALL, "file", to="a\0b"), "$.profiles.qwen3.models.asr-small.file", ["NUL"]),
    "empty engine": (
        setting(*SMALL, "engine", to=""),
        "$.profiles.qwen3.models.asr-small.engine",
        ["string is empty"],
    ),
    "no steps": (
        setting("experiment", 0, "steps", to=[]),
        "$.experiment[0].steps",
        ["list is empty", "at least 1"],
    ),
    "no methods": (setting("defaults", "methods", to=[]), "$.defaults.methods", ["list is empty"]),
    "engine missing": (
        without(*SMALL, "engine"),
        "$.profiles.qwen3.models.asr-small.engine",
        ["missing; a string is required here"],
    ),
    "steps missing": (
        without("experiment", 1, "steps"),
        "$.experiment[1].steps",
        ["missing; a list is required"],
    ),
    "audio missing": (
        without("profiles", "qwen3", "samples", "phone", "audio"),
        "$.profiles.qwen3.samples.phone.audio",
        ["missing"],
    ),
}


def test_a_right_document_has_no_problems(right: dict[str, Any]) -> None:
    assert problems_of_shape(right) == []


@pytest.mark.parametrize(("change", "key_path", "parts"), WRONG.values(), ids=WRONG.keys())
def test_each_kind_of_problem(right: dict[str, Any], change: Change, key_path: str, parts: list[str]) -> None:
    change(right)
    problems = problems_of_shape(right)
    assert [problem.key_path for problem in problems] == [key_path]
    for part in parts:
        assert part in str(problems[0])


def test_all_at_once(right: dict[str, Any]) -> None:
    expected = {
        "unknown key in a step",
        "string for an integer",
        "method misspelt",
        "engine missing",
        "share over 1",
    }
    for name in expected:
        WRONG[name][0](right)
    assert {problem.key_path for problem in problems_of_shape(right)} == {WRONG[name][1] for name in expected}


@pytest.mark.parametrize(
    "change",
    [
        setting("defaults", "timeout_s", to=3),
        setting("recycle", "max_rss", to=1024),
        setting("recycle", "max_rss", to="1.5 gib"),
        setting("gate", to={"max_rate_mb_per_iteration": 1, "methods": ["reuse"], "inconclusive": "fail"}),
        setting(*SMALL, "options", to={"a": [1, {"b": False}]}),
        setting(*SMALL, "env", to={"EMPTY": ""}),
    ],
)
def test_what_is_allowed_decodes(right: dict[str, Any], change: Change) -> None:
    change(right)
    assert problems_of_shape(right) == []
    assert isinstance(msgspec.convert(right, ExperimentsFile), ExperimentsFile)


def test_long_values_are_cut_in_messages(right: dict[str, Any]) -> None:
    right["defaults"] = {"iterations": "x" * 1000}
    [problem] = problems_of_shape(right)
    assert isinstance(problem, ConfigProblem)
    assert len(str(problem)) < 150

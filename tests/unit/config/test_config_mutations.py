"""Whatever is done to a document, loading it gives a file or a ConfigError, never another exception."""

from __future__ import annotations

import copy
import string
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.config.checks import problems_of_meaning
from orchestrator.config.engine_names import KNOWN_ENGINES
from orchestrator.config.load import load_file
from orchestrator.config.overrides import Overrides
from orchestrator.config.resolve import resolve
from orchestrator.config.types import ExperimentsFile
from orchestrator.config.walk import problems_of_shape
from orchestrator.errors import ConfigError

TOP = Path(__file__).parents[3]
TEXT = (TOP / "experiments.toml").read_text("utf-8")
DOCUMENT = tomllib.loads(TEXT)
WORDS = (
    "previous",
    "reference",
    "asr",
    "align",
    "restart",
    "exp1",
    "asr-small",
    "phone",
    "auto",
    "1 TB",
    "",
    "\0",
    "a b",
)
KEYS = (
    "name",
    "steps",
    "model",
    "sample",
    "text",
    "methods",
    "env",
    "models",
    "samples",
    "experiments",
    "variants",
)

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = (
    st.sampled_from(WORDS)
    | st.text(max_size=5)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.datetimes()
    | st.times()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def containers(node: Any) -> list[Any]:
    """Every table and list of a document, the document first."""
    if not isinstance(node, (dict, list)):
        return []
    inner = node.values() if isinstance(node, dict) else node
    return [node, *(found for item in inner for found in containers(item))]


def mutate(document: dict[str, Any], draw: Any) -> None:
    node = draw(st.sampled_from(containers(document)))
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    action = draw(st.sampled_from(["replace", "remove", "add", "copy"]))
    if action == "add" or not keys:
        if isinstance(node, dict):
            node[draw(st.sampled_from(KEYS) | st.text(string.ascii_letters, max_size=4))] = draw(values)
        else:
            node.append(draw(values))
        return
    key = draw(st.sampled_from(keys))
    if action == "remove":
        del node[key]
    elif action == "copy":
        node[key] = copy.deepcopy(draw(st.sampled_from(containers(document))))
    else:
        node[key] = draw(values)


@settings(UNHURRIED)
@given(st.data())
def test_mutated_documents(data: st.DataObject) -> None:
    document = copy.deepcopy(DOCUMENT)
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(document, data.draw)
    problems = problems_of_shape(document)
    meaning = problems_of_meaning(document, KNOWN_ENGINES)
    assert all(problem.key_path.startswith("$") and problem.problem for problem in problems + meaning)
    if problems:
        return
    file = msgspec.convert(document, ExperimentsFile)  # the walk promised that this works
    if not meaning:
        resolve_or_refuse(file)


def resolve_or_refuse(file: ExperimentsFile) -> None:
    for profile in ("auto", "qwen3", "embedded"):
        try:
            plan = resolve(file, TOP / "experiments.toml", Overrides(profile=profile), {}, 2)
        except ConfigError:
            continue
        assert plan.experiments


@settings(UNHURRIED)
@given(st.integers(0, len(TEXT)), st.integers(0, 40), st.binary(max_size=4))
def test_damaged_files(start: int, length: int, inserted: bytes) -> None:
    damaged = TEXT[:start].encode() + inserted + TEXT[start + length :].encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "experiments.toml")
        path.write_bytes(damaged)
        try:
            outcome: object = load_file(path)
        except ConfigError as error:
            outcome = error.problems
    assert outcome

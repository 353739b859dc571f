"""The JSON Schema of experiments.toml, made from the types, for editors and other tools.

It knows shapes, not meanings: that a step's model exists, or that several models cannot be restarted, is for
:mod:`.checks` to say.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

import msgspec

from orchestrator.config.lenient import is_list, is_table
from orchestrator.config.types import ExperimentsFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NULL = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """Return the schema, draft 2020-12, of a decoded experiments.toml."""
    made: dict[str, Any] = _with_clean_texts(_without_null(msgspec.json.schema(ExperimentsFile)))
    root: dict[str, Any] = made["$defs"].pop(ExperimentsFile.__name__)
    return {
        "$schema": DIALECT,
        **root,
        "title": "experiments.toml",
        "$defs": dict(sorted(made["$defs"].items())),
    }


def schema_text() -> str:
    """Return the schema as the text of docs/experiments.schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _without_null(node: Any) -> Any:
    """TOML has no null: a key is there or not. What msgspec calls "X or null, null by default" is X."""
    if is_list(node):
        return [_without_null(item) for item in node]
    if not is_table(node):
        return node
    plain = {key: _without_null(inner) for key, inner in node.items() if not (key == "default" and not inner)}
    choices = plain.get("anyOf")
    if is_list(choices) and _NULL in choices:
        left = [choice for choice in choices if choice != _NULL]
        plain.pop("anyOf")
        plain |= left[0] if len(left) == 1 else {"anyOf": left}
    return plain


def _with_clean_texts(node: Any) -> Any:
    """Take the code's indentation out of descriptions: Python strips it from docstrings since 3.13, and not before."""
    if is_list(node):
        return [_with_clean_texts(item) for item in node]
    if not is_table(node):
        return node
    return {
        key: inspect.cleandoc(inner)
        if key == "description" and isinstance(inner, str)
        else _with_clean_texts(inner)
        for key, inner in node.items()
    }

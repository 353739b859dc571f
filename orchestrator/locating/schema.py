"""The JSON Schema of what ``orchestrator locate --json`` prints, made from its types."""

from __future__ import annotations

import inspect
import json
from typing import Any

import msgspec

from orchestrator.analysis.locating.located import Located
from orchestrator.config.lenient import is_list, is_table
from orchestrator.config.schema import DIALECT


def located_schema() -> dict[str, Any]:
    """Return the schema, draft 2020-12, of one answer."""
    made: dict[str, Any] = _with_clean_texts(msgspec.json.schema(Located))
    root: dict[str, Any] = made["$defs"].pop(Located.__name__)
    return {"$schema": DIALECT, **root, "title": "orchestrator locate", "$defs": made["$defs"]}


def located_schema_text() -> str:
    """Return the schema as the text of docs/located.schema.json."""
    return json.dumps(located_schema(), indent=2, ensure_ascii=False) + "\n"


def _with_clean_texts(node: Any) -> Any:
    """Take the code's indentation out of descriptions: Python strips it from docstrings since 3.13, and not before."""
    if is_list(node):
        return [_with_clean_texts(item) for item in node]
    if not is_table(node):
        return inspect.cleandoc(node) if isinstance(node, str) else node
    return {key: _with_clean_texts(inner) for key, inner in node.items()}

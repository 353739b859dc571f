"""Read a table of options into a struct, with every mistake named at once.

Decides only the checking and its wording: msgspec alone stops at the first mistake and does not know the
nearest key. What the options mean is the engine's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.engines.nearest import known_words

Options = TypeVar("Options", bound=msgspec.Struct)


def read_options(table: Mapping[str, Any], schema: type[Options], whom: str) -> Options:
    """Return ``table`` as a ``schema``; ``whom`` opens the error message, as ``engine synthetic``.

    Raises:
        EngineError: Unknown keys (with the nearest), wrong types or values (with what is allowed) and missing
            keys, all of them in one message.
    """
    try:
        # Most tables are right. Only keys must be looked at: msgspec would pass over those it does not know.
        if table.keys() <= _fields(schema).keys():
            return msgspec.convert(table, schema)
    except msgspec.ValidationError:
        pass  # named below, with all the others
    fields = _fields(schema)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, found in table.items():
        if key not in fields:
            problems.append(f"unknown option {key!r} ({known_words(key, fields)})")
            continue
        try:
            values[fields[key].name] = msgspec.convert(found, fields[key].type)
        except msgspec.ValidationError as error:
            problems.append(f"option {key!r}: {error}, found {found!r}{_allowed(fields[key].type, found)}")
    problems += [
        f"option {key!r} is missing" for key, field in fields.items() if field.required and key not in table
    ]
    if problems:
        raise EngineError(f"{whom}: {'; '.join(problems)}")
    return schema(**values)


@cache
def _fields(schema: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    # Kept: resolving the annotations anew leaves cyclic garbage, which in every job would look like growth.
    return {field.encode_name: field for field in msgspec.structs.fields(schema)}


def _allowed(kind: Any, found: Any) -> str:
    """List the words a literal type takes."""
    if get_origin(kind) is not Literal:
        return ""
    return f" ({known_words(str(found), map(str, get_args(kind)))})"

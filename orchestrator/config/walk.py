"""Find every mismatch between a document and its types, not only the first.

msgspec stops at the first mistake and gives no nearest name, so this module walks the decoded TOML itself,
guided by the very types that msgspec decodes into: unknown and missing keys, wrong types, values that are not
among those allowed, numbers and texts out of bounds. What the values *mean* (is there such a model?) is for
:mod:`.checks`.

A document this walk passes is one that ``msgspec.convert`` accepts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec.inspect as shapes

from orchestrator.config.fields import PATTERN_WORDS
from orchestrator.config.lenient import is_list, is_table
from orchestrator.config.types import ExperimentsFile
from orchestrator.config.wording import excerpt, found, key_path, name_hint
from orchestrator.errors import ConfigProblem

_LARGEST_INTEGER = 2**63 - 1
_PYTHON_TYPES: dict[type[shapes.Type], type | tuple[type, ...]] = {
    shapes.StrType: str,
    shapes.IntType: int,
    shapes.FloatType: (int, float),
    shapes.BoolType: bool,
    shapes.ListType: list,
    shapes.DictType: dict,
    shapes.StructType: dict,
}
_WORDS: dict[type[shapes.Type], str] = {
    shapes.StrType: "a string",
    shapes.IntType: "an integer",
    shapes.FloatType: "a number",
    shapes.BoolType: "true or false",
    shapes.ListType: "a list",
    shapes.DictType: "a table",
    shapes.StructType: "a table",
}


def problems_of_shape(document: dict[str, Any]) -> list[ConfigProblem]:
    """Return every mismatch between ``document`` and :class:`~orchestrator.config.types.ExperimentsFile`.

    Each has the key path (``$.experiment[1].steps[0].model``), what was found, what is allowed and, where
    one is near, the name that was probably meant. An empty list means that the document has the right shape.
    """
    return list(_walk(document, shapes.type_info(ExperimentsFile), "$"))


def _walk(value: object, shape: shapes.Type, path: str) -> Iterator[ConfigProblem]:
    shape = _choose(value, shape)
    if isinstance(shape, shapes.AnyType):
        yield from _anything(value, path)
    elif isinstance(shape, shapes.LiteralType):
        yield from _literal(value, shape, path)
    elif not _fits(value, shape):
        yield ConfigProblem(path, f"expected {_words(shape)}, found {found(value)}")
    elif isinstance(shape, shapes.StructType):
        yield from _struct(cast("dict[str, Any]", value), shape, path)
    elif isinstance(shape, shapes.DictType):
        yield from _table(cast("dict[str, Any]", value), shape, path)
    elif isinstance(shape, shapes.ListType):
        yield from _list(cast("list[Any]", value), shape, path)
    elif isinstance(shape, shapes.StrType):
        yield from _string(cast("str", value), shape, path)
    elif isinstance(shape, (shapes.IntType, shapes.FloatType)):
        yield from _number(cast("float", value), shape, path)


def _choose(value: object, shape: shapes.Type) -> shapes.Type:
    """Strip metadata and None, which TOML cannot say; of a union take the member that ``value`` fits."""
    while isinstance(shape, (shapes.Metadata, shapes.UnionType)):
        if isinstance(shape, shapes.Metadata):
            shape = shape.type
            continue
        members = _members(shape)
        if len(members) > 1:
            members = [member for member in members if _fits(value, member)]
            if not members:
                return shape
        shape = members[0]
    return shape


def _members(shape: shapes.UnionType) -> list[shapes.Type]:
    plain = [member.type if isinstance(member, shapes.Metadata) else member for member in shape.types]
    return [member for member in plain if not isinstance(member, shapes.NoneType)]


def _fits(value: object, shape: shapes.Type) -> bool:
    """Whether TOML's type is the one asked for. In Python a bool is an int; here it is not."""
    expected = _PYTHON_TYPES.get(type(shape))
    if expected is None:
        return False
    return isinstance(value, expected) and (not isinstance(value, bool) or expected is bool)


def _words(shape: shapes.Type) -> str:
    if isinstance(shape, shapes.UnionType):
        return " or ".join(_words(member) for member in _members(shape))
    return _WORDS[type(shape)]


def _literal(value: object, shape: shapes.LiteralType, path: str) -> Iterator[ConfigProblem]:
    if any(type(value) is type(allowed) and value == allowed for allowed in shape.values):
        return
    if isinstance(value, str):
        hint = name_hint(value, [str(allowed) for allowed in shape.values])
        yield ConfigProblem(path, f"{excerpt(value)} is not allowed here", hint)
    else:
        allowed = ", ".join(excerpt(allowed) for allowed in shape.values)
        yield ConfigProblem(path, f"{found(value)} is not allowed here", f"allowed: {allowed}")


def _struct(table: dict[str, Any], shape: shapes.StructType, path: str) -> Iterator[ConfigProblem]:
    fields = {field.encode_name: field for field in shape.fields}
    for key, value in table.items():
        if key in fields:
            yield from _walk(value, fields[key].type, key_path(path, key))
        else:
            yield ConfigProblem(key_path(path, key), "unknown key", name_hint(key, sorted(fields)))
    for name, field in fields.items():
        if field.required and name not in table:
            words = _WORDS.get(type(_choose(None, field.type)), "a value")
            yield ConfigProblem(key_path(path, name), f"missing; {words} is required here")


def _table(table: dict[str, Any], shape: shapes.DictType, path: str) -> Iterator[ConfigProblem]:
    for key, value in table.items():
        inner = key_path(path, key)
        yield from _walk(key, shape.key_type, inner)
        yield from _walk(value, shape.value_type, inner)


def _list(items: list[Any], shape: shapes.ListType, path: str) -> Iterator[ConfigProblem]:
    if shape.min_length and len(items) < shape.min_length:
        yield ConfigProblem(path, "the list is empty", f"at least {shape.min_length} is needed")
    for index, item in enumerate(items):
        yield from _walk(item, shape.item_type, f"{path}[{index}]")


def _string(text: str, shape: shapes.StrType, path: str) -> Iterator[ConfigProblem]:
    if shape.min_length and len(text) < shape.min_length:
        yield ConfigProblem(path, "the string is empty")
    # fullmatch: "$" alone would let a final line break through
    elif shape.pattern and not re.fullmatch(shape.pattern, text):
        hint = f"allowed: {PATTERN_WORDS[shape.pattern]}"
        yield ConfigProblem(path, f"{excerpt(text)} cannot be used here", hint)


def _number(number: float, shape: shapes.IntType | shapes.FloatType, path: str) -> Iterator[ConfigProblem]:
    if isinstance(number, float) and not math.isfinite(number):
        yield ConfigProblem(path, f"{number} is not allowed here", "a finite number is needed")
        return
    bounds = [
        (words, bound, kept)
        for words, bound, kept in (
            ("at least", shape.ge, shape.ge is None or number >= shape.ge),
            ("more than", shape.gt, shape.gt is None or number > shape.gt),
            ("at most", shape.le, shape.le is None or number <= shape.le),
            ("less than", shape.lt, shape.lt is None or number < shape.lt),
        )
        if bound is not None
    ]
    if not all(kept for _, _, kept in bounds):
        allowed = " and ".join(f"{words} {bound}" for words, bound, _ in bounds)
        yield ConfigProblem(path, f"{excerpt(number)} is out of range", f"allowed: {allowed}")
    elif abs(number) > _LARGEST_INTEGER:
        yield ConfigProblem(path, f"{excerpt(number)} is out of range", "allowed: numbers of 64 bits")


def _anything(value: object, path: str) -> Iterator[ConfigProblem]:
    """Check the engine's own options: any key is allowed, but every value must be one that msgpack can carry."""
    if is_table(value):
        for key, inner in value.items():
            yield from _anything(inner, key_path(path, key))
    elif is_list(value):
        for index, inner in enumerate(value):
            yield from _anything(inner, f"{path}[{index}]")
    elif isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        yield ConfigProblem(path, f"{excerpt(value)} is out of range", "allowed: numbers of 64 bits")

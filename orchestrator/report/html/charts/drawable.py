"""What may be drawn: text without the characters that no XML document can hold. Pure."""

from __future__ import annotations

import re
from typing import Any, cast

_UNDRAWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def drawable_text(text: str) -> str:
    """Return the text without control characters, halves of surrogate pairs and the two that are no characters."""
    return _UNDRAWABLE.sub("", text)


def drawable(part: Any) -> Any:
    """Return a specification, or a part of one, whose texts can all be drawn: values, and names of fields."""
    if isinstance(part, str):
        return drawable_text(part)
    if isinstance(part, dict):
        table = cast("dict[str, Any]", part)
        return {drawable_text(key): drawable(value) for key, value in table.items()}
    if isinstance(part, list | tuple):
        return [drawable(each) for each in cast("list[Any]", part)]
    return part

"""The wording of configuration problems: what was found, where, and what was probably meant. Pure."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_EXCERPT = 60


def key_path(parent: str, key: str) -> str:
    """Return ``parent.key``, the key quoted where TOML would quote it."""
    return f"{parent}.{key}" if _BARE_KEY.fullmatch(key) else f"{parent}.{excerpt(key)}"


def excerpt(value: object) -> str:
    """Return a decoded TOML value as TOML would write it, shortened to 60 characters."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, (dt.date, dt.time)):
        text = value.isoformat()
    elif isinstance(value, str):
        text = f'"{value}"' if value.isprintable() else ascii(value)
    elif isinstance(value, int) and value.bit_length() > 64:
        text = "beyond 64 bits"
    else:
        text = repr(value)
    return text if len(text) <= _LONGEST_EXCERPT else text[: _LONGEST_EXCERPT - 1] + "…"


def found(value: object) -> str:
    """Return what a value is and how it reads: ``the string "6"``, ``the number 6``, ``a table``."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return excerpt(value)
    if isinstance(value, (dt.date, dt.time)):
        return f"the date or time {excerpt(value)}"
    return f"the {'string' if isinstance(value, str) else 'number'} {excerpt(value)}"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that ``name`` was probably meant to be, or None.

    Case does not count, nor does ``-`` against ``_``.
    """
    by_folded = {_folded(candidate): candidate for candidate in names}
    close = difflib.get_close_matches(_folded(name), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def name_hint(name: str, names: Iterable[str]) -> str:
    """Return ``did you mean "…"?`` where a name is near, and in any case all the names there are."""
    known = list(dict.fromkeys(names))
    listing = f"allowed: {', '.join(known)}" if known else "there are none"
    close = nearest(name, known)
    return f'did you mean "{close}"? {listing}' if close else listing


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")

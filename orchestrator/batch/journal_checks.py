"""Whether a journal is one of ours: its tables, and every value in them, before anything is done by it.

A journal lies in a folder that others may write to, and may come from anywhere. What it says decides which files are
read and written, so a name that leaves the folder, a view in the place of a table, or a value of another kind is
refused with one sentence; nothing is repaired.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import msgspec

from orchestrator.batch.names import inside
from orchestrator.errors import ResultsError

LONGEST_VALUE_BYTES = 64 << 20
_SHA256_LETTERS = 64
_HEX = frozenset("0123456789abcdef")
_ATTEMPTS = """
select count(*) from attempts where typeof(id) != 'integer' or typeof(file) != 'integer' or typeof(number) != 'integer'
or typeof(started) != 'text' or typeof(ended) not in ('text', 'null') or typeof(outcome) not in ('text', 'null')
or typeof(reason) not in ('text', 'blob')
"""
_META = """
select count(*) from meta where typeof(key) != 'text' or typeof(value) not in ('text', 'blob')
"""


class ForeignJournalError(Exception):
    """Says what about a journal is not ours."""


def check_tables(connection: sqlite3.Connection, expected: Iterable[str]) -> None:
    """See that the database holds these tables and indexes, word for word but for spaces, and nothing else.

    Raises:
        ForeignJournalError: It does not. No view, trigger or expression of the file has been run.
    """
    known = {_bare(statement) for statement in expected}
    rows = connection.execute("select type, name, sql from sqlite_master").fetchall()
    for kind, name, sql in rows:
        if sql is None and kind == "index" and str(name).startswith("sqlite_autoindex_"):
            continue
        if not isinstance(sql, str) or _bare(sql) not in known:
            raise ForeignJournalError(f"its {kind} {name!r} is none of ours")


def check_values(connection: sqlite3.Connection) -> None:
    """See that the values beside the recordings' are of their kinds.

    Raises:
        ForeignJournalError: Some are not.
    """
    for table, query in (("attempts", _ATTEMPTS), ("meta", _META)):
        if connection.execute(query).fetchone()[0]:
            raise ForeignJournalError(f"its table {table} has values of another kind")


def checked_values(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a recording's row as its fields, seen to be sound.

    Raises:
        ForeignJournalError: Says which of them is not.
    """
    found = dict(values)
    for column in ("outputs", "warnings"):
        try:
            found[column] = json.loads(found[column])
        except (ValueError, TypeError, RecursionError):
            raise ForeignJournalError(f"{column} of recording {_shown(values['id'])} are no JSON") from None
    for column in ("path", "reason"):
        if not isinstance(found[column], str | bytes):
            raise ForeignJournalError(f"{column} of recording {_shown(values['id'])} is no text")
        found[column] = _text(found[column])
    if not found["path"] or "\0" in found["path"]:
        raise ForeignJournalError(f"path of recording {_shown(values['id'])} is none")
    name: object = found["name"]
    if not isinstance(name, str) or "\0" in name or inside(name) != name:
        raise ForeignJournalError(f"the name {_shown(name)} leaves the output folder")
    found["outputs"] = _outputs(found["outputs"], folder)
    return found


def _outputs(outputs: object, folder: Path) -> dict[str, str]:
    """Return outputs by their whole paths; they are kept by their names below the folder."""
    found: dict[str, str] = {}
    if not isinstance(outputs, dict):
        raise ForeignJournalError("outputs of a recording are no table")
    for name, sha256 in cast("dict[str, object]", outputs).items():
        path = folder / name
        if "\0" in name or ".." in Path(name).parts or folder not in path.parents:
            raise ForeignJournalError(f"the output {_shown(name)} leaves the output folder")
        if not isinstance(sha256, str) or len(sha256) != _SHA256_LETTERS or not set(sha256) <= _HEX:
            raise ForeignJournalError(f"the hash of {_shown(name)} is none")
        found[str(path)] = sha256
    return found


def refused(path: Path, error: ForeignJournalError | msgspec.ValidationError | TypeError) -> ResultsError:
    """Return the error to raise for a journal that is not ours."""
    return ResultsError(f"cannot use {path}: {error}; move it away to begin anew, or name another --out DIR")


def _bare(sql: str) -> str:
    return "".join(sql.split()).rstrip(";").casefold()


def _shown(value: object) -> str:
    return repr(value)[:80]


def _text(stored: str | bytes) -> str:
    return stored if isinstance(stored, str) else stored.decode(errors="surrogateescape")

"""The database under a journal: its tables, opening it, and what SQLite's errors mean for a user."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from orchestrator.batch.journal_checks import (
    LONGEST_VALUE_BYTES,
    ForeignJournalError,
    check_tables,
    check_values,
    refused,
)
from orchestrator.errors import ResultsError
from orchestrator.files.safe_places import open_own

SCHEMA_VERSION = 1

_TABLES = """
create table meta (key text primary key, value text not null);
create table files (
    id integer primary key,
    path text not null unique,
    name text not null unique,
    language text,
    text text,
    state text not null default 'waiting',
    attempts integer not null default 0,
    size integer,
    mtime_ns integer,
    sha256 text,
    outputs text not null default '{}',
    reason text not null default '',
    warnings text not null default '[]'
);
create index files_by_state on files (state, attempts, id);
create table attempts (
    id integer primary key,
    file integer not null references files (id),
    number integer not null,
    started text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    ended text,
    outcome text,
    reason text not null default ''
);
"""


_LATER = ",\n    warnings text not null default '[]'"
_STATEMENTS = [*_TABLES.split(";"), *_TABLES.replace(_LATER, "").split(";")]


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal's database, which is made if need be; one that is not ours is refused.

    Raises:
        ResultsError: It cannot be read or written, is of another version, or is not ours.
    """
    try:
        os.close(open_own(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    except OSError as error:
        said = f"cannot use {path}: {error.strerror or error}"
        raise ResultsError(f"{said}; move it away, or name another --out DIR") from error
    except sqlite3.Error as error:
        raise problem(path, error) from error
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new journal; refuse one of another version."""
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE_BYTES)
        connection.execute("pragma trusted_schema = off")
        check_tables(connection, _STATEMENTS)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        version = connection.execute("pragma user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"begin; {_TABLES} pragma user_version = {SCHEMA_VERSION}; commit;")
        elif version == SCHEMA_VERSION:
            _complete(connection)
            check_values(connection)
    except ForeignJournalError as error:
        raise refused(path, error) from error
    except sqlite3.Error as error:
        raise problem(path, error) from error
    if version not in {0, SCHEMA_VERSION}:
        raise ResultsError(
            f"{path} is of version {version}, this program reads {SCHEMA_VERSION}; use the program that wrote it"
        )


def _complete(connection: sqlite3.Connection) -> None:
    """Add columns that came later. A program that does not know them reads the journal all the same."""
    there = {row[1] for row in connection.execute("pragma table_info(files)")}
    if "warnings" not in there:
        connection.execute("alter table files add column warnings text not null default '[]'")


def problem(path: Path, error: sqlite3.Error) -> ResultsError:
    """Return the error to raise for what SQLite says: nothing of it is about a recording."""
    what_to_do = "see to it, then the same command goes on"
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        what_to_do = "move it away to begin anew"
    elif "full" in str(error) or "I/O" in str(error):
        what_to_do = "make room, then the same command goes on"
    said = " ".join(str(error).split())[:200]  # it may quote what is in the file
    return ResultsError(f"cannot use {path}: {said}; {what_to_do}")

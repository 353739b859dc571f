"""The state of every recording of a batch, in SQLite: what a ``kill -9`` leaves is what the next start reads.

::

    waiting ──claim──▶ running ──finished──▶ writing ──written──▶ done
       ▲                  │ ╲                   │
       │                  │  ╲──failed──▶ failed (its input is at fault)
       ├──tried again─────┤   ╲─failed──▶ poisoned (its worker died or hung at every attempt)
       └──found again after a kill: running, or writing without the whole output

Write-ahead logging, one connection under a lock; every change is a transaction of its own. Only one process may have
a journal open: the lock is the kernel's and ends with its holder.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from orchestrator.batch.journal_checks import ForeignJournalError, checked_values, refused
from orchestrator.batch.journal_tables import connect, problem
from orchestrator.batch.manifest import Input
from orchestrator.batch.names import numbered
from orchestrator.errors import ConfigError, ConfigProblem, ResultsError
from orchestrator.files.folder_lock import locked

FILE_NAME = "batch.sqlite"
State = Literal["waiting", "running", "writing", "done", "failed", "poisoned"]


class Entry(msgspec.Struct, frozen=True):
    """One recording as the journal has it. ``outputs`` maps each output's path to the SHA-256 of its content.

    ``size`` and ``mtime_ns`` are those of the input when its work began; ``warnings`` are the lines about what engines
    said against its outputs.
    """

    id: int
    path: str
    name: str
    language: str | None
    text: str | None
    state: State
    attempts: int
    size: int | None
    mtime_ns: int | None
    sha256: str | None
    outputs: dict[str, str]
    reason: str
    warnings: list[str] = []


class Counts(msgspec.Struct, frozen=True):
    """How many recordings are in which state."""

    waiting: int = 0
    running: int = 0
    writing: int = 0
    done: int = 0
    failed: int = 0
    poisoned: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.running + self.writing + self.done + self.failed + self.poisoned

    @property
    def left(self) -> int:
        """Those that are not at their end."""
        return self.waiting + self.running + self.writing


@contextlib.contextmanager
def open_journal(folder: Path) -> Generator[Journal]:
    """Open the journal of an output folder, which is made if need be, and keep others out.

    Raises:
        ResultsLockedError: Another batch has it open; names it.
        ResultsError: It cannot be read or written, or is of another version.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"cannot make {folder}: {error.strerror or error}; choose --out DIR") from error
    with locked(folder, elsewhere="--out DIR"):
        connection = connect(folder / FILE_NAME)
        try:
            journal = Journal(connection, folder / FILE_NAME)
            journal.entries()  # every one of them is checked, before anything is done by it
            yield journal
        finally:
            connection.close()


class Journal:
    """See the module. Safe from many threads of the process that opened it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def _change(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("begin immediate")
                try:
                    yield self._connection
                    self._connection.execute("commit")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):  # a full disk has rolled it back already
                        self._connection.execute("rollback")
                    raise
            except sqlite3.Error as error:
                raise problem(self._path, error) from error

    def _read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise problem(self._path, error) from error

    # ------------------------------------------------------------------ before the work

    def adopt(self, settings: Mapping[str, str], *, redo: bool = False) -> None:
        """Remember what makes the outputs what they are, or refuse to mix outputs of other settings with these.

        ``redo`` takes the new settings and begins with every recording anew.

        Raises:
            ConfigError: The journal's outputs were made with other settings; names them.
        """
        before = {key: _text(value) for key, value in self._read("select key, value from meta")}
        changed = [key for key in settings if before and before.get(key) != settings[key]]
        if changed and not redo:
            hint = "use another --out, or begin anew with --redo"
            raise ConfigError(
                "this batch",
                [
                    ConfigProblem(key, f"was {before.get(key, 'not set')!r}, is {settings[key]!r}", hint)
                    for key in changed
                ],
            )
        with self._change() as connection:
            connection.execute("delete from meta")
            rows = [(key, _stored(value)) for key, value in settings.items()]
            connection.executemany("insert into meta values (?, ?)", rows)
            if redo:
                connection.execute(
                    "update files set state = 'waiting', attempts = 0, reason = '', outputs = '{}'"
                )

    def register(self, inputs: Iterable[Input]) -> int:
        """Add recordings that are not known yet; return how many. A name that is taken gets a number.

        One that is known with another language or text has changed: it is done again.
        """
        added = 0
        with self._change() as connection:
            names = {name.casefold() for (name,) in connection.execute("select name from files")}
            known = {row[0]: row[1:] for row in connection.execute("select path, language, text from files")}
            for each in inputs:
                path, said = _stored(str(each.path)), (each.language, each.text)
                if path not in known:
                    name = numbered(each.name, names)
                    names.add(name.casefold())
                    connection.execute(
                        "insert into files (path, name, language, text) values (?, ?, ?, ?)",
                        (path, name, *said),
                    )
                    added += 1
                elif known[path] != said:
                    connection.execute(
                        "update files set language = ?, text = ?, state = 'waiting', attempts = 0, "
                        "reason = 'other words in the manifest' where path = ?",
                        (*said, path),
                    )
        return added

    def again(self, entries: Iterable[Entry], reason: str) -> None:
        """Put recordings back to the start, with their attempts forgotten."""
        with self._change() as connection:
            connection.executemany(
                "update files set state = 'waiting', attempts = 0, reason = ? where id = ?",
                [(reason, entry.id) for entry in entries],
            )

    # ------------------------------------------------------------------ the work

    def claim(self, left: Collection[int] = ()) -> Entry | None:
        """Take the next waiting recording, those tried least first and none of ``left``; None when no other waits."""
        with self._change() as connection:
            rows = connection.execute(
                "select id, attempts from files where state = 'waiting' order by attempts, id limit ?",
                (len(left) + 1,),
            ).fetchall()
            row = next((row for row in rows if row[0] not in left), None)
            if row is None:
                return None
            number = row[1] + 1
            connection.execute(
                "update files set state = 'running', attempts = ? where id = ?", (number, row[0])
            )
            connection.execute("insert into attempts (file, number) values (?, ?)", (row[0], number))
        return self.entry(row[0])

    def began(self, entry: Entry, seen: tuple[int, int], sha256: str | None) -> None:
        """Note what is being worked on: size in bytes and time of change in nanoseconds, and the hash once known."""
        with self._change() as connection:
            connection.execute(
                "update files set size = ?, mtime_ns = ?, sha256 = ? where id = ?", (*seen, sha256, entry.id)
            )

    def writing(self, entry: Entry, outputs: Mapping[str, str], warnings: Sequence[str] = ()) -> None:
        """Note what is about to be put in place: paths, each with the SHA-256 of what it will hold; and warnings."""
        with self._change() as connection:
            connection.execute(
                "update files set state = 'writing', outputs = ?, warnings = ? where id = ?",
                # unlike msgspec it takes names of any bytes
                (json.dumps(self._inside(outputs)), json.dumps(list(warnings)), entry.id),
            )

    def _inside(self, outputs: Mapping[str, str]) -> dict[str, str]:
        """Return outputs by their names below the folder, which may be moved as a whole."""
        return {os.path.relpath(name, self._path.parent): sha256 for name, sha256 in outputs.items()}

    def done(self, entry: Entry) -> None:
        """Note that all outputs are in place."""
        self._end(entry, "done", "done", "")

    def wait_again(self, entry: Entry, outcome: str, reason: str, *, counted: bool = True) -> None:
        """Put a recording back that could not be finished; ``counted`` False forgets this attempt."""
        self._end(entry, "waiting", outcome, reason, forgotten=0 if counted else 1)

    def failed(self, entry: Entry, reason: str, *, poisoned: bool) -> None:
        """Note that a recording is given up, and why."""
        state: State = "poisoned" if poisoned else "failed"
        self._end(entry, state, state, reason)

    def _end(self, entry: Entry, state: State, outcome: str, reason: str, forgotten: int = 0) -> None:
        with self._change() as connection:
            connection.execute(
                "update files set state = ?, reason = ?, attempts = attempts - ? where id = ?",
                (state, _stored(reason), forgotten, entry.id),
            )
            connection.execute(
                "update attempts set ended = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), outcome = ?, reason = ? "
                "where file = ? and ended is null",
                (outcome, _stored(reason), entry.id),
            )

    # ------------------------------------------------------------------ reading

    def entry(self, number: int) -> Entry:
        """Return one recording."""
        (found,) = self.entries("where id = ?", number)
        return found

    def in_state(self, *states: State) -> list[Entry]:
        """Return the recordings in some states, in order."""
        marks = ", ".join("?" * len(states))
        return self.entries(f"where state in ({marks})", *states)

    def entries(self, where: str = "", *values: Any) -> list[Entry]:
        """Return recordings, in order."""
        columns = ", ".join(field for field in Entry.__struct_fields__)
        rows = self._read(f"select {columns} from files {where} order by id", *values)  # noqa: S608 - our own words
        try:
            return [_entry(row, self._path.parent) for row in rows]
        except (ForeignJournalError, msgspec.ValidationError) as error:
            raise refused(self._path, error) from error

    def counts(self) -> Counts:
        """Return how many recordings are in which state."""
        return Counts(**dict(self._read("select state, count(*) from files group by state")))

    def has_texts(self) -> bool:
        """Whether the text of a recording is given, which is then aligned."""
        return bool(self._read("select 1 from files where text is not null limit 1"))

    def with_warnings(self) -> int:
        """Return how many recordings are done with warnings."""
        ((count,),) = self._read("select count(*) from files where state = 'done' and warnings != '[]'")
        return int(count)

    def attempts(self) -> list[tuple[str, int, str | None, str]]:
        """Return path, number, outcome and reason of every attempt, in order."""
        rows = self._read(
            "select path, number, outcome, attempts.reason from attempts join files on files.id = file "
            "order by attempts.id"
        )
        return [(_text(path), number, outcome, _text(reason)) for path, number, outcome, reason in rows]

    def seen_anew(self, entry: Entry, seen: tuple[int, int]) -> None:
        """Note size and time of an input that was only touched: its bytes are those that were worked on."""
        with self._change() as connection:
            connection.execute("update files set size = ?, mtime_ns = ? where id = ?", (*seen, entry.id))


def _entry(row: tuple[Any, ...], folder: Path) -> Entry:
    values = dict(zip(Entry.__struct_fields__, row, strict=True))
    return msgspec.convert(checked_values(values, folder), Entry)


def _stored(text: str) -> str | bytes:
    """Return what SQLite takes: text, or the bytes of a file name that is no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogateescape")
    return text


def _text(stored: str | bytes) -> str:
    return stored if isinstance(stored, str) else stored.decode(errors="surrogateescape")

"""``iterations.jsonl``: append one entry a line, read back what a crash has left.

Each entry is one ``write`` call, so a killed parent loses at most the line it was in the middle of. A last
line without its newline was cut, and counts as not written, for the reader and for the next appender alike:
the appender takes it off before it adds anything. Nothing is synced to the platter per line; that would
disturb the measurement, and a killed process does not need it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.records import (
    RECORDS_SCHEMA,
    Entry,
    IterationRecord,
    SeriesEnd,
    SeriesRecords,
    SeriesStart,
)
from orchestrator.experiments.storage.upgrades import ERROR_WORDS, Chain, Document, upgrade
from orchestrator.files.reading import read_regular
from orchestrator.files.untrusted import UNREADABLE
from orchestrator.files.writing import to_json, write_problem


def _words_of_errors(entry: Document) -> Document:
    """Schema 1 called two facts of an end otherwise than the errors that they come from.

    An entry of schema 2 is left as it is: a run that this version resumes keeps the schema of its manifest.
    """
    return {ERROR_WORDS.get(key, key): value for key, value in entry.items()}


ENTRY_UPGRADES: Chain = {1: _words_of_errors}
"""Steps from older record schemas, by the version they start from."""

_ENTRY: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)
_MANY_BYTES = 1 << 16


class EntryLog:
    """The appending end of one log.

    Open while a run goes on; :meth:`close` it, or use it in a ``with`` block.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._last = ""

    def append(self, entry: Entry) -> None:
        """Write ``entry`` as one line and hand it to the system at once.

        Raises:
            ResultsError: It could not be written whole. What was written of it has been cut off again.
        """
        line = to_json(entry) + b"\n"
        try:
            if self._descriptor < 0:
                self._descriptor = _open_repaired(self.path)
            _write_whole(self._descriptor, line)
        except OSError as error:
            safe = f"everything up to {self._last}" if self._last else "what was written before"
            raise write_problem(self.path, error, safe) from error
        self._last = _name_of(entry)

    def close(self) -> None:
        """Close the file; again is harmless. A later :meth:`append` opens it anew."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> EntryLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_entries(
    path: Path, schema: object = RECORDS_SCHEMA, *, chain: Chain = ENTRY_UPGRADES
) -> list[Entry]:
    """Return all whole entries of the log in their order; a log that does not exist yet has none.

    ``schema`` is the one the run's manifest names.

    Raises:
        ResultsError: A whole line is no entry (names file and line), or the schema is refused.
    """
    try:
        content = read_regular(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    whole = content[: content.rfind(b"\n") + 1]
    entries: list[Entry] = []
    for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
        try:
            entries.append(_decode(line, schema, chain, path))
        except UNREADABLE as error:
            raise ResultsError(
                f"{path}, line {number}: damaged ({error}); delete this line to lose "
                "this entry alone, or start again without --resume"
            ) from error
    return entries


def series_records(entries: Iterable[Entry]) -> dict[tuple[str, str], SeriesRecords]:
    """Collect entries by (experiment, series), in the order in which the series first appear.

    A second :class:`SeriesStart` voids the iterations from its ``first_iteration`` on and the end before
    it; its reason is kept in ``restarts``.
    """
    collected: dict[tuple[str, str], SeriesRecords] = {}
    for entry in entries:
        key = (entry.experiment, entry.series)
        before = collected.get(key) or SeriesRecords(*key, iterations=[], end=None)
        collected[key] = _with_entry(before, entry)
    return collected


def _with_entry(before: SeriesRecords, entry: Entry) -> SeriesRecords:
    match entry:
        case IterationRecord():
            before.iterations.append(entry)
            return before
        case SeriesEnd():
            return msgspec.structs.replace(before, end=entry)
        case SeriesStart():
            return msgspec.structs.replace(
                before,
                iterations=[kept for kept in before.iterations if kept.iteration < entry.first_iteration],
                end=None,
                restarts=[*before.restarts, entry.reason] if entry.reason else before.restarts,
                abandoned=entry.abandoned,
            )


def _decode(line: bytes, schema: object, chain: Chain, path: Path) -> Entry:
    if schema == RECORDS_SCHEMA:
        return _ENTRY.decode(line)
    document = msgspec.json.decode(line, type=dict[str, Any])
    upgraded = upgrade(document, schema, current=RECORDS_SCHEMA, chain=chain, where=str(path))
    return _ENTRY.decode(msgspec.json.encode(upgraded))


def _name_of(entry: Entry) -> str:
    where = f"{entry.experiment}/{entry.series}"
    match entry:
        case IterationRecord():
            return f"{where} iteration {entry.iteration}"
        case SeriesStart():
            return f"the start of {where}"
        case SeriesEnd():
            return f"the end of {where}"


def _open_repaired(path: Path) -> int:
    """Open for appending behind the last newline; what a crash left after it goes away."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        end = _end_of_last_line(descriptor)
        if end != os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, end)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _end_of_last_line(descriptor: int) -> int:
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _MANY_BYTES)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _write_whole(descriptor: int, line: bytes) -> None:
    """Write all of ``line`` or, as far as the system lets us, nothing of it."""
    size_before = os.fstat(descriptor).st_size
    written = 0
    try:
        while written < len(line):  # a disk that fills takes part of the line first, and refuses the rest
            written += os.write(descriptor, line[written:])
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size_before)
        raise

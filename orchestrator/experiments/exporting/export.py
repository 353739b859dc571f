"""Write what a run has recorded into one file for other programs: which rows, which form, and never half of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from orchestrator.errors import ResultsError
from orchestrator.experiments.exporting.recorded import Results
from orchestrator.experiments.exporting.sample_chunks import SAMPLE_KINDS, Names
from orchestrator.experiments.exporting.writers import SUFFIXES, Piece, parquet_package, writer
from orchestrator.experiments.storage.run_files import ENTRIES_NAME, is_run_folder
from orchestrator.files.output_place import refuse_special
from orchestrator.files.untrusted import content_of
from orchestrator.files.writing import to_json, written_anew
from orchestrator.notebook.frames import Kind
from orchestrator.notebook.table import Table, table_columns

What = Literal["samples", "iterations", "readings", "verdicts"]
EXPORT_SCHEMA = 1
"""Of the columns; in Parquet files under ``orchestrator.schema``."""

_STATES = {"running": "is under way, or was killed", "interrupted": "was interrupted"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the file, how many rows, and what there is to say of them."""

    path: Path
    rows: int
    notes: tuple[str, ...] = ()


def export_results(
    results: Results, target: Path, *, what: What = "samples", force: bool = False
) -> Exported:
    """Write ``what`` of a run into ``target``, whose ending tells the form. Blocks until it is on the disk.

    Args:
        results: The run.
        target: Where to; it is there as a whole afterwards, or as it was.
        what: Which rows.
        force: Replace a file that is there.

    Raises:
        ResultsError: There is nothing of that kind, it cannot be read, pyarrow is missing, or ``target`` has an unknown
            ending, is there already or cannot be written.
    """
    _check_target(target, force=force)
    if target.suffix.lower() == ".parquet":
        parquet_package()
    with content_of(results.path):
        kinds, pieces, until = _rows(results, what)
        facts = _facts(results, what)
    rows = 0
    with written_anew(target, elsewhere="another --to FILE", go_on="export again") as file:
        out = writer(target.suffix.lower(), file, kinds, facts, coded=what == "samples")
        try:
            for piece in _read(pieces, results.path):
                out.write(piece)
                rows += _count(piece)
            out.end()
        finally:
            out.drop()
        _check_target(target, force=force)
    return Exported(target, rows, tuple(_notes(results, what, rows, until)))


def _check_target(target: Path, *, force: bool) -> None:
    if target.suffix.lower() not in SUFFIXES:
        raise ResultsError(f"{target}: the ending of the name tells the form: {', '.join(SUFFIXES)}")
    try:
        if target.is_dir():
            raise ResultsError(
                f"{target}: a folder; name a file in it, such as {target.name}/samples.parquet"
            )
        if target.name == ENTRIES_NAME and is_run_folder(target.absolute().parent):
            raise ResultsError(f"{target}: that is the run's own record; choose another --to FILE")
        refuse_special(target)
    except OSError as error:
        raise ResultsError(f"{target}: {error.strerror or error}; choose another --to FILE") from error
    if os.path.lexists(target) and not force:
        raise ResultsError(f"{target} is there already; --force replaces it")


def _rows(results: Results, what: What) -> tuple[Mapping[str, Kind], Iterable[Piece], str]:
    """Return the columns, the rows in pieces, and until when they are."""
    if what == "samples":
        source = results.samples.open()
        return SAMPLE_KINDS, source.chunks(), f" until {source.last_s:.1f} s" if source.last_s else ""
    tables: Mapping[str, Any] = {
        "iterations": lambda: results.iterations,
        "readings": lambda: results.readings,
        "verdicts": lambda: results.verdicts.table,
    }
    table: Table = tables[what]()
    return table.kinds, [table_columns(table)], ""


def _read(pieces: Iterable[Piece], path: Path) -> Iterator[Piece]:
    """Yield the pieces; what reading one raises is said of the content, what writing one raises is not."""
    each = iter(pieces)
    while True:
        with content_of(path):
            piece = next(each, None)
        if piece is None:
            return
        yield piece


def _count(piece: Piece) -> int:
    first = next(iter(piece.values()))
    return len(first.codes if isinstance(first, Names) else first.values)


def _facts(results: Results, what: What) -> dict[str, str]:
    return {
        "schema": str(EXPORT_SCHEMA),
        "what": what,
        "run_id": results.run_id or "",
        "facts": to_json(results.facts).decode(),
    }


def _notes(results: Results, what: What, rows: int, until: str) -> Iterable[str]:
    state = _STATES.get(results.state or "")
    run = f"run {results.run_id}" if results.run_id else str(results.path)
    if state:
        yield f"{run} {state}: what there is was written, {rows} {what}{until}"
    elif not rows:
        yield f"{run} has no {what}: the file has none"

"""CSV files with named columns: one series each.

``rss_mb`` is needed; ``iteration, rss_anon_mb, rss_shmem_mb, swap_mb, live_mb, held_mb, elapsed_s, descriptors,
threads`` are used where they are there, any other column is left alone. Recordings of ``orchestrator watch`` are
such files.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from orchestrator.analysis.series import FloatArray
from orchestrator.errors import ResultsError
from orchestrator.series_files.measured import MeasuredSeries, why_no_memory

NEEDED = "rss_mb"
ITERATION = "iteration"
ELAPSED = "elapsed_s"
COUNTS = ("descriptors", "threads")
OPTIONAL = ("rss_anon_mb", "rss_shmem_mb", "swap_mb", "live_mb", "held_mb", ELAPSED, *COUNTS)
"""Columns that are used where every row has a value in them."""

_HEADER_NEEDED = f"name the columns in the first line: {ITERATION}, {NEEDED}[, {', '.join(OPTIONAL)}]"

_MEMORY_ENDING = "_mb"

_Rows = Sequence[Sequence[str]]


def read_csv(path: Path) -> MeasuredSeries:
    """Read the one series of a CSV file; rows without any value are skipped.

    Raises:
        ResultsError: It cannot be read, lacks a column or a row, or holds what is no number; names the line.
    """
    header, rows = _cells(path)
    if not header:
        raise ResultsError(f"{path}: the file is empty; {_HEADER_NEEDED}")
    if NEEDED not in header:
        found = ", ".join(header)
        cure = "separate the columns by commas" if ";" in found or "\t" in found else _HEADER_NEEDED
        raise ResultsError(f"{path}: no column {NEEDED} (its columns: {found}); {cure}")
    if not rows:
        raise ResultsError(f"{path}: no readings below the header")
    rss = _numbers(path, header, rows, NEEDED)
    notes: list[str] = []
    if ITERATION in header:
        notes += _check_iterations(path, _numbers(path, header, rows, ITERATION))
    channels: dict[str, FloatArray | None] = {}
    for name in OPTIONAL:
        channels[name], told = _optional(path, header, rows, name)
        notes += told
    _check_counts(path, {name: channels[name] for name in COUNTS})
    return MeasuredSeries(
        file=str(path),
        rss=rss,
        rss_anon=channels["rss_anon_mb"],
        rss_shmem=channels["rss_shmem_mb"],
        swap=channels["swap_mb"],
        live=channels["live_mb"],
        held=channels["held_mb"],
        descriptors=channels["descriptors"],
        threads=channels["threads"],
        interval_s=_interval(channels[ELAPSED]),
        notes=tuple(notes),
    )


def _cells(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            header = [name.strip().lower() for name in next(lines, list[str]())]
            rows = [row for row in lines if any(cell.strip() for cell in row)]
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ResultsError(f"{path}: not a CSV file: no UTF-8 text (byte {error.start + 1})") from error
    except csv.Error as error:
        raise ResultsError(f"{path}: not a CSV file ({error})") from error
    for number, row in enumerate(rows, start=1):
        if len(row) < len(header):
            raise ResultsError(f"{path}: row {number} has {len(row)} cells, the header {len(header)}")
    return header, rows


def _numbers(path: Path, header: Sequence[str], rows: _Rows, name: str) -> FloatArray:
    column = header.index(name)
    try:
        values = np.array([float(row[column]) for row in rows], dtype=np.float64)
    except ValueError:
        values = None
    if values is None or not np.isfinite(values).all():
        row, cell = next((i, row[column]) for i, row in enumerate(rows, 1) if not _is_number(row[column]))
        raise ResultsError(f"{path}: row {row}: {name} is {cell!r}, not a finite number")
    if name.endswith(_MEMORY_ENDING):
        _check_memory(path, name, values)
    return values


def _check_memory(path: Path, name: str, values: FloatArray) -> None:
    """Refuse what no process has. Only RSS is refused below zero: what a tool derived may well be there."""
    sizes = values if name == NEEDED else np.abs(values)
    for number in (int(sizes.argmin()), int(sizes.argmax())):
        if why := why_no_memory(float(sizes[number])):
            raise ResultsError(f"{path}: row {number + 1}: {name} is {values[number]:g}, {why}")


def _optional(
    path: Path, header: Sequence[str], rows: _Rows, name: str
) -> tuple[FloatArray | None, list[str]]:
    if name not in header:
        return None, []
    column = header.index(name)
    empty = sum(not row[column].strip() for row in rows)
    if empty == len(rows):
        return None, []
    if empty:
        return None, [f"{name} is not used: {empty} of {len(rows)} rows have none"]
    return _numbers(path, header, rows, name), []


def _is_number(cell: str) -> bool:
    try:
        return isfinite(float(cell))
    except ValueError:
        return False


def _check_iterations(path: Path, numbers: FloatArray) -> list[str]:
    """Refuse iterations out of order; note those that are missing, because a rate counts readings."""
    steps = np.diff(numbers)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 2
        raise ResultsError(
            f"{path}: row {row}: {ITERATION} {numbers[row - 1]:g} comes after {numbers[row - 2]:g}; "
            "one row an iteration, in order, one series a file"
        )
    missing = int((steps > 1).sum())
    if not missing:
        return []
    where = "1 place" if missing == 1 else f"{missing} places"
    return [f"iterations are missing in {where}; the rate is per reading"]


def _check_counts(path: Path, counts: Mapping[str, FloatArray | None]) -> None:
    for name, values in counts.items():
        if values is None:
            continue
        wrong = np.flatnonzero((values < 0) | (values != np.round(values)))
        if wrong.size:
            raise ResultsError(f"{path}: row {wrong[0] + 1}: {name} is {values[wrong[0]]:g}, not a count")


def _interval(elapsed_s: FloatArray | None) -> float | None:
    if elapsed_s is None or elapsed_s.size < 2 or elapsed_s[-1] <= elapsed_s[0]:
        return None
    return float((elapsed_s[-1] - elapsed_s[0]) / (elapsed_s.size - 1))

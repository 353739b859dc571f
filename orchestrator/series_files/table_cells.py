"""The columns of a table as numbers: memory in MB, counts, times in seconds, iterations, and whose row each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from orchestrator.analysis.series import FloatArray
from orchestrator.errors import ResultsError
from orchestrator.series_files.columns import Column
from orchestrator.series_files.measured import why_no_memory
from orchestrator.series_files.numbers import UNIT_BYTES, read_sizes
from orchestrator.series_files.tables import Table
from orchestrator.series_files.times import read_times
from orchestrator.series_files.units import find_unit, one_unit

MB = UNIT_BYTES["MB"]
_CHANNELS = ("rss_anon", "rss_shmem", "swap", "live", "held")
_COUNTS = ("descriptors", "threads")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user says about a file. ``unit``: B, KB, MB or GB; ``column``: the column to judge."""

    unit: str = ""
    column: str = ""


class NoSeriesError(ResultsError):
    """A file has no column with the memory of a process."""


@dataclass(slots=True)
class Cells:
    """A table's columns by what they are, and its readings in MB."""

    table: Table
    path: str
    columns: list[Column]
    sizes: dict[str, FloatArray]
    times: FloatArray | None
    iterations: FloatArray | None
    owners: list[Column]
    notes: list[str]


def memory_columns(columns: Sequence[Column], path: str, asked: Asked) -> list[Column]:
    """Return the columns to judge: the one asked for, else those that are most surely the memory of a process.

    Raises:
        NoSeriesError: There is none; names what was found.
        ResultsError: The one asked for is not there.
    """
    names = ", ".join(column.name for column in columns if column.name)
    if asked.column:
        named = [column for column in columns if column.name.lower() == asked.column.lower()]
        if not named:
            raise ResultsError(f"{path}: no column {asked.column} (its columns: {names})")
        return [replace(named[0], role="rss")]
    memory = [column for column in columns if column.role == "rss"]
    if memory:
        best = min(column.rank for column in memory)
        return [column for column in memory if column.rank == best]
    if not names:
        raise NoSeriesError(
            f"{path}: the file is empty; name the columns in the first line, such as iteration, rss_mb"
        )
    raise NoSeriesError(
        f"{path}: no column with the memory of a process, such as rss_mb, RSS or MEM USAGE (its columns: {names}); "
        "name it: --column NAME, or name the columns in the first line"
    )


def read_cells(table: Table, path: str, columns: Sequence[Column], memory: Column, asked: Asked) -> Cells:
    """Return the table's columns as numbers, with ``memory`` as the memory of the process.

    Raises:
        ResultsError: A value is impossible, or its unit cannot be told.
    """
    notes = list[str]()
    if table.short:
        notes.append(f"{_lines(table.short)} cut off and left out: fewer cells than the header has names")
    sizes = {"rss": _sizes(table, path, memory, asked, notes)}
    for column in columns:
        if column.role in (*_CHANNELS, *_COUNTS) and column.role not in sizes:
            channel = _sizes(table, path, column, asked, notes)
            if not np.isnan(channel).all():
                sizes[column.role] = channel
    times = _times(table, columns)
    iterations = _iterations(table, columns)
    owners = [column for column in columns if column.role == "owner" and not _is_argument(column, columns)]
    return Cells(table, path, list(columns), sizes, times, iterations, owners, notes)


def _sizes(table: Table, path: str, column: Column, asked: Asked, notes: list[str]) -> FloatArray:
    """Return a column in MB, or as it is where it counts; NaN where it has no reading."""
    cells = [row[column.index] for row in table.rows]
    sizes = read_sizes(cells, comma_decimal=table.comma_decimal)
    if sizes.unreadable:
        first = sizes.unreadable[0]
        if column.role == "rss" and 2 * len(sizes.unreadable) >= len(cells):
            raise ResultsError(
                f"{path}: row {first + 1}: {column.name} is {cells[first]!r}, not a finite number; so are "
                f"{len(sizes.unreadable)} of {len(cells)} (columns: {', '.join(table.header)})"
            )
        notes.append(
            f"{column.name} is no number in {len(sizes.unreadable)} of {len(cells)} rows, first in row {first + 1}: "
            f"{cells[first]!r}"
        )
    if column.role in _COUNTS:
        return _counts(sizes.values, path, column)
    values = _in_mb(sizes.values, sizes.units, table, path, column, asked, notes)
    _check(values, path, column)
    return values


def _in_mb(
    values: FloatArray,
    units: Sequence[str],
    table: Table,
    path: str,
    column: Column,
    asked: Asked,
    notes: list[str],
) -> FloatArray:
    known = ~np.isnan(values)
    if any(units):
        told = asked.unit or next(unit for unit in units if unit)
        scale = [
            UNIT_BYTES[unit or ("B" if value > MB else told)]
            for unit, value in zip(units, values, strict=True)
        ]
        return np.asarray(values * np.array(scale) / MB, dtype=np.float64)
    if asked.unit:
        return values * UNIT_BYTES[asked.unit] / MB
    told = column.unit or ("KB" if table.kilobytes else "")
    if column.role != "rss":
        return values * UNIT_BYTES[told or "MB"] / MB
    even, changes = one_unit(values[known])
    if changes:
        rows = np.flatnonzero(known)[changes] + 1
        notes.append(
            f"{column.name} changes its unit in row {', '.join(map(str, rows))}; the readings from there on are read "
            "in the unit of those before"
        )
    unit = find_unit(even, told, column.name)
    if not unit.name:
        level = float(np.median(even))
        raise ResultsError(
            f"{path}: {column.name} names no unit, and {level:,.6g} can be MB or KB; say which: --unit MB or --unit KB"
        )
    if unit.note:
        notes.append(unit.note)
    scaled = values.copy()
    scaled[known] = even * UNIT_BYTES[unit.name] / MB
    return scaled


def _check(values: FloatArray, path: str, column: Column) -> None:
    """Refuse what no process has. Only RSS is refused below zero: what a tool derived may well be there."""
    for row in np.flatnonzero(~np.isnan(values)):
        size = float(values[row])
        if why := why_no_memory(size if column.role == "rss" else abs(size)):
            raise ResultsError(f"{path}: row {row + 1}: {column.name} is {size:g} MB, {why}")


def _counts(values: FloatArray, path: str, column: Column) -> FloatArray:
    wrong = np.flatnonzero((values < 0) | (values != np.round(values)) & ~np.isnan(values))
    if wrong.size:
        raise ResultsError(f"{path}: row {wrong[0] + 1}: {column.name} is {values[wrong[0]]:g}, not a count")
    return values


def _times(table: Table, columns: Sequence[Column]) -> FloatArray | None:
    """Return the times of the rows in seconds; a column of dates and one of times of day are read together."""
    if table.kilobytes and columns[0].role != "time":  # TIME and START of ps are no clock, ELAPSED is
        timed = [
            column for column in columns if column.name.lower() in ("elapsed", "etime", "etimes", "lstart")
        ]
        timed = [column for column in timed if column.name.lower() != "lstart"]
    else:
        timed = [column for column in columns if column.role == "time"]
    names = {column.name.strip().lower(): column for column in timed}
    if "date" in names and "time" in names:
        date, time = names["date"].index, names["time"].index
        joined = read_times([f"{row[date]} {row[time]}" for row in table.rows])
        if joined is not None:
            return joined
    for column in timed:
        times = read_times([row[column.index] for row in table.rows], column.unit)
        if times is not None:
            return times
    return None


def _iterations(table: Table, columns: Sequence[Column]) -> FloatArray | None:
    for column in columns:
        if column.role == "iteration":
            sizes = read_sizes([row[column.index] for row in table.rows], comma_decimal=table.comma_decimal)
            if not np.isnan(sizes.values).all() and not sizes.unreadable:
                return sizes.values
    return None


def _is_argument(column: Column, columns: Sequence[Column]) -> bool:
    """Whether the column is a command line beside a number of the process, which says whose row it is already."""
    numbered = any(each.name.lower() in ("pid", "tgid") for each in columns)
    return numbered and column.name.lower() in ("user", "uid", "args")


def _lines(lines: Sequence[int]) -> str:
    return f"line {lines[0]} is" if len(lines) == 1 else f"{len(lines)} lines (first line {lines[0]}) are"

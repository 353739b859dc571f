"""From a table to the memory series in it: which columns, in which unit, whose rows, and what was left out.

A cell without a reading costs that reading; rows of several processes or containers are told apart; iterations or a
clock that start again begin a new series, because the process has been restarted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.series import FloatArray
from orchestrator.errors import ResultsError
from orchestrator.series_files.columns import column_of
from orchestrator.series_files.measured import MeasuredSeries
from orchestrator.series_files.table_cells import Asked, Cells, memory_columns, read_cells
from orchestrator.series_files.tables import Table

_MOST_MISSING = 0.2
"""A channel that more of the readings lack is not used; if fewer, those readings are left out."""

_IDENTIFIERS = frozenset({"pid", "tgid", "containerid", "container id", "container_id", "uid"})

Rows = npt.NDArray[np.int64]


def series_of(table: Table, path: str, asked: Asked | None = None) -> list[MeasuredSeries]:
    """Return the series of a table; a series per owner, per column of memory, and per life of the process.

    Raises:
        ResultsError: There is no column of memory or no reading, a unit cannot be told, or a value is impossible; names
            what was found, and what to do.
    """
    asked = asked or Asked()
    columns = [column_of(index, name) for index, name in enumerate(table.header)]
    memory = memory_columns(columns, path, asked)
    if not table.rows:
        raise ResultsError(f"{path}: no readings below the header")
    found = list[MeasuredSeries]()
    for column in memory:
        cells = read_cells(table, path, columns, column, asked)
        label = column.name if len(memory) > 1 else ""
        found += _split(cells, label)
    if not found:
        raise ResultsError(f"{path}: {memory[0].name} has no reading: all {len(table.rows)} cells are empty")
    return found


# ------------------------------------------------------------------ series


def _split(cells: Cells, label: str) -> Iterator[MeasuredSeries]:
    groups = _by_owner(cells)
    for name, rows in groups.items():
        told = [part for part in (label, name) if part]
        lives = _lives(cells, rows)
        for number, life in enumerate(lives, 1):
            again = [f"life {number} of {len(lives)}"] if len(lives) > 1 else []
            series = _series(cells, life, " ".join([*told, *again]))
            if series is not None:
                yield series


def _by_owner(cells: Cells) -> Mapping[str, Rows]:
    """Return the rows of each process or container by its name: what its columns say that is not the same for all."""
    every = np.arange(len(cells.table.rows), dtype=np.int64)
    keys = list[list[str]]()
    for column in cells.owners:
        texts = [row[column.index] for row in cells.table.rows]
        keys.append(texts)
    differing = [
        index
        for index, texts in enumerate(keys)
        if len(set(texts)) > 1 and (len(set(texts)) < len(texts) or len(keys) > 1)
    ]
    differing = _needed(differing, keys)
    if not differing:
        names = [
            texts[0]
            for column, texts in zip(cells.owners, keys, strict=True)
            if column.name.lower() not in _IDENTIFIERS
        ]
        return {names[0] if names else "": every}
    rows = dict[str, list[int]]()
    for row in every.tolist():
        rows.setdefault(" ".join(keys[index][row] for index in differing), []).append(row)
    return {name: np.array(each, dtype=np.int64) for name, each in rows.items()}


def _needed(differing: Sequence[int], keys: Sequence[Sequence[str]]) -> list[int]:
    """Return the columns that tell owners apart, without those that add nothing to one before them."""
    kept = list[int]()
    count = 1
    for index in differing:
        together = len(set(zip(*(keys[each] for each in (*kept, index)), strict=True)))
        if together > count:
            kept.append(index)
            count = together
    return kept


def _lives(cells: Cells, rows: Rows) -> list[Rows]:
    """Split the rows where iterations or a running clock start again."""
    for name, column in (("iteration", cells.iterations), ("time", cells.times)):
        if column is None:
            continue
        values = column[rows]
        known = values[~np.isnan(values)]
        if known.size < 2 or (np.diff(known) >= 0).all() or (name == "time" and known[0] > 1e8):
            continue
        ahead = np.concatenate(([False], values[1:] < values[:-1]))
        late = float(np.median(np.abs(np.diff(known)))) / 2 if name == "time" else 0.0
        restarts = np.flatnonzero(ahead & (values <= known[0] + late))
        if restarts.size and restarts.size == int(ahead.sum()):
            return [each for each in np.split(rows, restarts) if each.size]
    return [rows]


def _series(cells: Cells, rows: Rows, name: str) -> MeasuredSeries | None:
    """Return the readings of these rows as a series; None when there is none among them."""
    notes = list(cells.notes)
    kept, times = _ordered(cells, rows)
    kept, times = _with_reading(cells, kept, times, notes)
    if not kept.size:
        return None
    used: dict[str, FloatArray] = {"rss": cells.sizes["rss"][kept]}
    for channel, values in cells.sizes.items():
        missing = int(np.isnan(values[kept]).sum())
        if channel != "rss" and missing < kept.size:
            if missing > _MOST_MISSING * kept.size:
                column = next(each.name for each in cells.columns if each.role == channel)
                notes.append(f"{column} is not used: {missing} of {kept.size} rows have none")
            else:
                used[channel] = values[kept]
    whole = ~np.isnan(np.column_stack(list(used.values()))).any(axis=1)
    if not whole.all():
        lacking = int((~whole).sum())
        notes.append(f"{lacking} of {kept.size} readings are left out: another channel has none there")
        kept, times = kept[whole], None if times is None else times[whole]
        used = {channel: values[whole] for channel, values in used.items()}
    positions = _positions(cells, kept, rows)
    return MeasuredSeries(
        file=cells.path,
        series=name or None,
        positions=positions,
        elapsed_s=times,
        interval_s=_interval(times),
        notes=tuple(notes),
        rss=used["rss"],
        rss_anon=used.get("rss_anon"),
        rss_shmem=used.get("rss_shmem"),
        swap=used.get("swap"),
        live=used.get("live"),
        held=used.get("held"),
        descriptors=used.get("descriptors"),
        threads=used.get("threads"),
    )


def _ordered(cells: Cells, rows: Rows) -> tuple[Rows, FloatArray | None]:
    """Return the rows in the order of their times, and the times, strictly increasing from 0; None without a clock."""
    if cells.times is None:
        return rows, None
    timed = rows[~np.isnan(cells.times[rows])]
    if timed.size < max(2, rows.size * (1 - _MOST_MISSING)):
        return rows, None
    order = timed[np.argsort(cells.times[timed], kind="stable")]
    times = cells.times[order]
    distinct, starts, counts = np.unique(times, return_index=True, return_counts=True)
    if distinct.size < 2:
        return rows, None
    if distinct.size < times.size:  # a clock coarser than the readings: they are spread over its tick
        ticks = np.diff(distinct, append=2 * distinct[-1] - distinct[-2])
        within = np.arange(times.size) - np.repeat(starts, counts)
        times = np.repeat(distinct, counts) + within * np.repeat(ticks / counts, counts)
    return order, np.asarray(times - times[0], dtype=np.float64)


def _with_reading(
    cells: Cells, rows: Rows, times: FloatArray | None, notes: list[str]
) -> tuple[Rows, FloatArray | None]:
    """Leave out rows without a reading; 0 is none either, as tools show a process that has ended."""
    rss = cells.sizes["rss"][rows]
    there = ~np.isnan(rss) & (rss > 0)
    if times is None and cells.iterations is not None:
        there &= ~np.isnan(cells.iterations[rows])
    left_out = rows[~there]
    if left_out.size and there.any():
        verb = "is" if left_out.size == 1 else "are"
        notes.append(
            f"{left_out.size} of {rows.size} readings {verb} left out: no number there, first in row "
            f"{int(left_out[0]) + 1}"
        )
    return rows[there], None if times is None else times[there]


def _positions(cells: Cells, kept: Rows, rows: Rows) -> FloatArray | None:
    """Return the iteration of each reading: the column's, else the place of its row among all rows of its owner."""
    if cells.iterations is None:
        return np.flatnonzero(np.isin(rows, kept)).astype(np.float64) + 1 if kept.size < rows.size else None
    numbers = cells.iterations[kept]
    steps = np.diff(numbers)
    if (steps > 0).all():
        return numbers
    column = next(each for each in cells.columns if each.role == "iteration")
    if column.name.lower() != "iteration":  # a count of something else
        return None
    at = int(np.argmax(steps <= 0)) + 1
    raise ResultsError(
        f"{cells.path}: row {kept[at] + 1}: {column.name} {numbers[at]:g} comes after {numbers[at - 1]:g}; "
        "one row an iteration, in order"
    )


def _interval(elapsed_s: FloatArray | None) -> float | None:
    if elapsed_s is None or elapsed_s.size < 2:
        return None
    return float((elapsed_s[-1] - elapsed_s[0]) / (elapsed_s.size - 1))

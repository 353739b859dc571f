"""One row an iteration of a method, and one a memory reading, from the entries of result files. Units in the names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.judgement import METHODS
from orchestrator.experiments.judging.readings import own_boundary
from orchestrator.experiments.results.results_file import Results as ResultFile
from orchestrator.experiments.storage.records import Phases, Reading
from orchestrator.notebook.frames import Kind
from orchestrator.notebook.table import Table
from orchestrator.process.memory import COUNTS, file_key

_INT64 = 1 << 63
_CHANNELS: dict[str, Kind] = {
    file_key(field): "int" if field in COUNTS else "float"
    for field in Reading.__struct_fields__
    if field != "heap_off"
}
_PHASES = tuple(Phases.__struct_fields__)
_SERIES: dict[str, Kind] = {
    "run_id": "text",
    "experiment": "text",
    "series": "text",
    "method": "text",
    "variant": "text",
    "iteration": "int",
}
ITERATION_KINDS: dict[str, Kind] = {
    **_SERIES,
    "life": "int",
    "boundary": "text",
    "memory_mb": "float",
    "peak_mb": "float",
    "peak_source": "text",
    "tree_peak_mb": "float",
    **_CHANNELS,
    **dict.fromkeys(_PHASES, "float"),
    "ttft_ms": "float",
    "speed_chars_per_s": "float",
    "wer_percent": "float",
    "cer_percent": "float",
    "text": "text",
    "started_at": "text",
}
"""The columns of the iterations. Readings are those at ``boundary`` after the last step, times those of all steps."""

READING_KINDS: dict[str, Kind] = {
    **_SERIES,
    "step": "int",
    "role": "text",
    "task": "text",
    "generation": "int",
    "boundary": "text",
    **_CHANNELS,
}
"""The columns of the readings: one row for each boundary of each step; steps count from 1."""

Row = Mapping[str, Any]


def iteration_table(results: Mapping[str, ResultFile]) -> Table:
    """Return one row an iteration and series, of all experiments.

    Raises:
        ResultsError: An entry has a value of another kind than its name says.
    """
    rows = [
        checked(_iteration(name, one, entry), ITERATION_KINDS)
        for name, one in results.items()
        for entry in one.iterations
    ]
    return Table("iteration", ITERATION_KINDS, rows)


def reading_table(results: Mapping[str, ResultFile]) -> Table:
    """Return one row a memory reading: each boundary of each step of each iteration.

    Raises:
        ResultsError: An entry has a value of another kind than its name says.
    """
    rows = [
        checked(row, READING_KINDS)
        for name, one in results.items()
        for entry in one.iterations
        for row in _readings(name, one, entry)
    ]
    return Table("reading", READING_KINDS, rows)


def series_key(entry: Row) -> str:
    """Return the key of the series that an entry belongs to: ``reuse``, or ``reuse@variant``."""
    variant = entry.get("variant")
    return f"{entry['method']}@{variant}" if variant else str(entry["method"])


def _series(experiment: str, results: ResultFile, entry: Row) -> dict[str, Any]:
    return {
        "run_id": results.config.get("run_id"),
        "experiment": experiment,
        "series": series_key(entry),
        "method": entry["method"],
        "variant": entry.get("variant"),
        "iteration": entry["iteration"],
    }


def _iteration(experiment: str, results: ResultFile, entry: Row) -> dict[str, Any]:
    steps = _steps(entry)
    last: Row = steps[-1] if steps else {}
    boundary = _boundary(results, entry, last)
    return {
        **{name: entry.get(name) for name in ITERATION_KINDS},
        **_series(experiment, results, entry),
        "boundary": boundary,
        **{name: _at(last, name, boundary) for name in _CHANNELS},
        **{name: _sum(steps, name) for name in _PHASES},
    }


def _boundary(results: ResultFile, entry: Row, last: Row) -> str | None:
    """Return where the series was judged; None where this iteration was not read there."""
    summary = results.summary.get(series_key(entry))
    method = METHODS.get(entry["method"])
    if summary is not None and summary.judgement is not None:
        where: str | None = summary.judgement.boundary
    else:
        where = own_boundary(method) if method is not None else None
    return where if where in _mapping(last.get("rss_mb")) else None


def _readings(experiment: str, results: ResultFile, entry: Row) -> Iterator[dict[str, Any]]:
    for number, step in enumerate(_steps(entry), 1):
        for boundary in _mapping(step.get("rss_mb")):
            yield {
                **_series(experiment, results, entry),
                "step": number,
                "role": step.get("model"),
                "task": step.get("task"),
                "generation": step.get("generation"),
                "boundary": boundary,
                **{name: _at(step, name, boundary) for name in _CHANNELS},
            }


def _steps(entry: Row) -> list[Row]:
    steps: list[Row] = [*msgspec.convert(entry.get("steps", []), type=list[dict[str, Any]])]
    return steps


def _mapping(value: object) -> Row:
    return cast("Row", value) if isinstance(value, Mapping) else {}


def _at(step: Row, name: str, boundary: str | None) -> Any:
    return None if boundary is None else _mapping(step.get(name)).get(boundary)


def _sum(steps: list[Row], name: str) -> float | None:
    known = [step[name] for step in steps if step.get(name) is not None]
    return sum(known) if known else None


def checked(row: Row, kinds: Mapping[str, Kind]) -> Row:
    """Return the row with each value as its column has it: files come from elsewhere, and frames want one kind.

    Raises:
        ResultsError: A value is of another kind than its name says.
    """
    return {name: _cell(row, name, kind) for name, kind in kinds.items()}


def _cell(row: Row, name: str, kind: Kind) -> Any:
    value = row.get(name)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "float" and number:
        return float(value)
    if kind == "int" and isinstance(value, int) and number and -_INT64 <= value < _INT64:
        return value
    if kind == "text" and isinstance(value, str):
        return value.encode(errors="replace").decode()
    iteration = f", iteration {row['iteration']}" if "iteration" in row else ""
    place = f"{row.get('experiment')} {row.get('series')}{iteration}"
    raise ResultsError(f"{place}: {name} is {str(value)[:60]!r}; it was changed by hand")

"""Plain JSON results, such as those of the studies this project grew out of: ``memory_mb`` per iteration.

``iterations`` is a list of entries, or lists per method; an entry is an object with ``memory_mb``, or the
number itself. Entries of one list that name a ``method`` are told apart by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from orchestrator.errors import ResultsError
from orchestrator.series_files.measured import MeasuredSeries, why_no_memory

KEY = "iterations"
MEMORY = "memory_mb"


def read_plain(document: Mapping[str, Any], file: str) -> list[MeasuredSeries]:
    """Return the series of a decoded JSON object that has ``iterations``.

    Raises:
        ResultsError: What is there is no series; names the place.
    """
    found: object = document[KEY]
    if isinstance(found, Mapping):
        lists = cast("Mapping[str, object]", found)
        named: dict[str | None, list[float]] = {
            name: _values(each, file, f"$.{KEY}.{name}") for name, each in lists.items()
        }
    elif isinstance(found, list):
        named = _by_method(cast("list[object]", found), file)
    else:
        raise ResultsError(f"{file}: $.{KEY} is {type(found).__name__}, not a list or lists per method")
    if not any(named.values()):
        raise ResultsError(f"{file}: $.{KEY} holds no reading")
    return [
        MeasuredSeries(file=file, series=name, rss=np.array(values, dtype=np.float64))
        for name, values in named.items()
        if values
    ]


def _by_method(entries: Sequence[object], file: str) -> dict[str | None, list[float]]:
    """Split one list by the method its entries name; entries that name none are one series."""
    split: dict[str | None, list[float]] = {}
    for index, entry in enumerate(entries):
        value = _value(entry, file, f"$.{KEY}[{index}]")
        method = cast("Mapping[str, object]", entry).get("method") if isinstance(entry, Mapping) else None
        split.setdefault(None if method is None else str(method), []).append(value)
    return split


def _values(entries: object, file: str, where: str) -> list[float]:
    if isinstance(entries, Mapping):  # one step further in: {"method": {"memory_mb": [...]}} and the like
        inner = cast("Mapping[str, object]", entries)
        entries = next((inner[key] for key in (KEY, MEMORY) if key in inner), None)
    if not isinstance(entries, list):
        raise ResultsError(f"{file}: {where} is not a list of iterations")
    listed = cast("list[object]", entries)
    return [_value(entry, file, f"{where}[{index}]") for index, entry in enumerate(listed)]


def _value(entry: object, file: str, where: str) -> float:
    memory = cast("Mapping[str, object]", entry).get(MEMORY) if isinstance(entry, Mapping) else entry
    shown = "null" if memory is None else str(memory)[:40]
    if isinstance(memory, bool) or not isinstance(memory, int | float):
        raise ResultsError(f"{file}: {where} has no {MEMORY} that is a number (found {shown})")
    if why := why_no_memory(memory):
        raise ResultsError(f"{file}: {where}: {MEMORY} is {shown}, {why}")
    return float(memory)

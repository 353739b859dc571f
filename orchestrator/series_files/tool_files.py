"""Files that are no plain table, as tables: mprof, ``/proc/PID/status``, Prometheus' JSON, lists of objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from orchestrator.files.untrusted import UNREADABLE
from orchestrator.series_files.numbers import read_sizes
from orchestrator.series_files.tables import Table, has_memory, read_table
from orchestrator.series_files.times import is_time

_STATUS = re.compile(r"(?:^|[\s:])(Vm\w+|Rss\w+|Threads|FDSize):\s+(\d+)(?:\s+kB)?\s*$")
_STATUS_FIRST = "VmRSS"
_KEPT = {
    "VmRSS": "rss_kb",
    "RssAnon": "rss_anon_kb",
    "RssShmem": "rss_shmem_kb",
    "VmSwap": "swap_kb",
    "Threads": "threads",
}
_MOST_DEEP = 4
_NAMING_LABELS = ("job", "pod", "container", "instance")
_BEGINS_JSON = ("{", "[")
_SIZE_IN_WORDS = re.compile(r"\d\s*([kKMGT]i?B?|B)\b")


def table_of(text: str, column: str = "") -> Table:
    """Return the table that a text holds, whatever tool wrote it; ``column`` is one whose name says nothing."""
    for reader in (_mprof, _status, _json_lines):
        table = reader(text)
        if table is not None:
            return table
    table = read_table(text, column)
    return table if has_memory(table.header, column) else _headless(text) or table


# ------------------------------------------------------------------ mprof


def _mprof(text: str) -> Table | None:
    """Read ``MEM <MiB> <seconds>`` and, of child processes, ``CHLD <number> <MiB> <seconds>``; other lines are left.

    A second CMDLINE in the file is a second run.
    """
    lines = text.split("\n")
    if not any(line.startswith(("MEM ", "CHLD ")) for line in lines[:1000]):
        return None
    children = any(line.startswith("CHLD ") for line in lines)
    table = Table(["timestamp", "rss_mb", "process", "run"][: 4 if children else 2])
    run = 0
    for number, line in enumerate(lines, 1):
        words = line.split()
        run += words[:1] == ["CMDLINE"]
        if words[:1] == ["MEM"] and len(words) >= 3:
            table.add([words[2], words[1], "main", str(run)], number)
        elif words[:1] == ["CHLD"] and len(words) >= 4:
            table.add([words[3], words[2], f"child {words[1]}", str(run)], number)
        elif words[:1] in (["MEM"], ["CHLD"]):
            table.short.append(number)
    return table


# ------------------------------------------------------------------ /proc


def _status(text: str) -> Table | None:
    """Read lines of ``/proc/PID/status``, as ``grep VmRSS`` collects them; a reading begins with VmRSS."""
    found = [
        (number, match[1], match[2])
        for number, line in enumerate(text.split("\n"), 1)
        if (match := _STATUS.search(line))
    ]
    if not any(name == _STATUS_FIRST for _, name, _ in found):
        return None
    names = [name for name in _KEPT if any(name == each for _, each, _ in found)]
    table = Table([_KEPT[name] for name in names])
    reading: dict[str, str] = {}
    for number, name, value in found:
        if name == _STATUS_FIRST and reading:
            table.add([reading.get(each, "") for each in names], number)
            reading = {}
        reading[name] = value
    table.add([reading.get(each, "") for each in names], len(text.split("\n")))
    return table


# ------------------------------------------------------------------ JSON


def table_of_json(document: object) -> Table | None:
    """Return the table in a decoded JSON document: the answer of Prometheus, or a list of objects; None without one."""
    result = _prometheus(document)
    if result is not None:
        return _of_prometheus(result)
    rows = _objects(document)
    return _of_objects(rows) if rows else None


def _prometheus(document: object) -> list[Mapping[str, Any]] | None:
    table: Mapping[str, Any] = cast("Mapping[str, Any]", document) if isinstance(document, Mapping) else {}
    data: object = table.get("data", table)
    result: object = cast("Mapping[str, Any]", data).get("result") if isinstance(data, Mapping) else data
    if not isinstance(result, list):
        return None
    rows = [
        cast("Mapping[str, Any]", each) for each in cast("list[object]", result) if isinstance(each, Mapping)
    ]
    return (
        rows
        if rows and all("values" in each or "value" in each for each in rows) and "metric" in rows[0]
        else None
    )


def _of_prometheus(result: Sequence[Mapping[str, Any]]) -> Table:
    """Return a row per point; the metric's name is the column's, its labels, where they differ, say whose it is."""
    metrics = [cast("Mapping[str, Any]", each.get("metric") or {}) for each in result]
    names = {str(metric.get("__name__", "")) for metric in metrics}
    shown = [name for name in sorted(names) if has_memory([name])] or ["memory"]
    kept = [
        (metric, each)
        for metric, each in zip(metrics, result, strict=True)
        if len(names) == 1 or metric.get("__name__") in shown
    ]
    several = len(shown) > 1
    column = (
        shown[0]
        if not several
        else "memory_bytes"
        if all(name.endswith("_bytes") for name in shown)
        else "memory"
    )
    differing = _differing([metric for metric, _ in kept], several=several)
    table = Table(["timestamp", column, "series"])
    for metric, each in kept:
        label = " ".join(
            f"{key}={metric.get(key, '')}" if key != "__name__" else str(metric[key]) for key in differing
        )
        for point in each.get("values") or [each["value"]]:
            table.add([str(point[0]), str(point[1]), label], len(table.rows) + 1)
    return table


def _differing(metrics: Sequence[Mapping[str, Any]], *, several: bool) -> list[str]:
    keys: dict[str, None] = dict.fromkeys(
        key for metric in metrics for key in metric if several or key != "__name__"
    )
    differing = [key for key in keys if len({str(metric.get(key)) for metric in metrics}) > 1]
    if differing or len(metrics) > 1:
        return differing
    usual: list[str] = [key for key in keys if key in _NAMING_LABELS]
    return usual[:1]


def _objects(document: object, depth: int = 0) -> list[Mapping[str, Any]] | None:
    """Return the first list of objects with a key that names memory, at the top or some levels down."""
    if isinstance(document, list):
        items = cast("list[object]", document)
        rows = [_flat(cast("Mapping[str, Any]", item)) for item in items if isinstance(item, Mapping)]
        return rows if rows and len(rows) == len(items) and has_memory(rows[0]) else None
    if isinstance(document, Mapping) and depth < _MOST_DEEP:
        for inner in cast("Mapping[str, object]", document).values():
            found = _objects(inner, depth + 1)
            if found is not None:
                return found
    return None


def _flat(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object whose inner objects' keys stand beside its own: ``{"memory": {"rss": 1}}`` as ``memory.rss``."""
    flat: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": each for inner, each in cast("Mapping[str, Any]", value).items()}
        else:
            flat[key] = value
    return flat


def _of_objects(rows: Sequence[Mapping[str, Any]]) -> Table:
    header = list(
        dict.fromkeys(key for row in rows for key, value in row.items() if not isinstance(value, list))
    )
    table = Table(header)
    for number, row in enumerate(rows, 1):
        table.add(["" if row.get(key) is None else str(row[key]) for key in header], number)
    return table


def _json_lines(text: str) -> Table | None:
    """Read one object a line, as ``docker stats --format json`` and structured logs write them."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines or not lines[0].startswith("{") or (len(lines) == 1 and not lines[0].endswith("}")):
        return None
    rows = list[Mapping[str, Any]]()
    short = list[int]()
    for number, line in enumerate(lines, 1):
        try:
            item: object = msgspec.json.decode(line)
        except UNREADABLE:
            short.append(number)
            continue
        if isinstance(item, Mapping):
            rows.append(_flat(cast("Mapping[str, Any]", item)))
    if not rows or len(short) > len(rows):
        return None
    named = [row for row in rows if has_memory(row)]
    table = _of_objects(named or rows)
    table.short = short
    return table


# ------------------------------------------------------------------ without a header


def _headless(text: str) -> Table | None:
    """Read rows without a header in which one cell is a size with its unit, such as ``asr  300MiB / 7.6GiB``."""
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    if len(lines) < 2 or not _SIZE_IN_WORDS.search(lines[0]):
        return None
    rows = [
        re.sub(r"(\d)\s+([KMGTk]i?B?)\b", r"\1\2", re.sub(r"\s+/\s+", "/", line))
        .replace(",", " ")
        .replace(";", " ")
        .split()
        for line in lines
    ]
    width = min(map(len, rows))
    names = [_kind([row[index] for row in rows]) for index in range(width)]
    if names.count("memory") < 1:
        return None
    names = [
        name if name != "memory" or index == names.index("memory") else f"other{index}"
        for index, name in enumerate(names)
    ]
    table = Table(names)
    for number, row in enumerate(rows, 1):
        table.add(row[:width], number)
    return table


def _kind(cells: Sequence[str]) -> str:
    sizes = read_sizes(cells, comma_decimal=False)
    if not sizes.unreadable and all(sizes.units):
        return "memory"
    if all(is_time(cell) for cell in cells):
        return "time"
    return "name" if not any(cell[:1].isdigit() or cell.endswith("%") for cell in cells) else ""


def begins_json(text: str) -> bool:
    """Whether a text is JSON by its first character."""
    return text.lstrip("\ufeff \t\r\n").startswith(_BEGINS_JSON)

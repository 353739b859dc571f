"""Numbers as people and tools write them: with units behind them, decimal commas, thousands, and marks for nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite, nan
from typing import NamedTuple

import numpy as np

from orchestrator.analysis.series import FloatArray

KIB = 1024.0
UNIT_BYTES = {"B": 1.0, "KB": KIB, "MB": KIB**2, "GB": KIB**3, "TB": KIB**4}
"""Bytes of each unit. K, KB and KiB are 1024 bytes here, as in /proc, ps and pidstat."""

_SPELLINGS = {
    "b": "B", "byte": "B", "bytes": "B",
    "k": "KB", "ki": "KB", "kb": "KB", "kib": "KB", "kbyte": "KB", "kbytes": "KB", "kilobytes": "KB", "kibibytes": "KB",
    "m": "MB", "mi": "MB", "mb": "MB", "mib": "MB", "mbyte": "MB", "mbytes": "MB", "megabytes": "MB", "mebibytes": "MB",
    "g": "GB", "gi": "GB", "gb": "GB", "gib": "GB", "gbyte": "GB", "gbytes": "GB", "gigabytes": "GB", "gibibytes": "GB",
    "t": "TB", "ti": "TB", "tb": "TB", "tib": "TB",
}  # fmt: skip
_NOTHING = frozenset(
    {"", "-", "--", "---", "nan", "na", "n/a", "null", "none", "nil", "undef", "unknown", "?", "<no value>"}
)
_CELL = re.compile(r"([-+]?[0-9][0-9.,'\u00a0\u202f ]*(?:[eE][-+]?[0-9]+)?|[-+]?[.,][0-9]+)\s*([A-Za-z]*)$")
_THOUSANDS_COMMA = re.compile(r"[-+]?\d{1,3}(,\d{3})+$")


class Sizes(NamedTuple):
    """A column of sizes: numbers (NaN: none), the unit each cell names itself ("" for none), and unreadable cells."""

    values: FloatArray
    units: list[str]
    unreadable: list[int]


def unit_of(word: str) -> str | None:
    """Return ``B``, ``KB``, ``MB``, ``GB`` or ``TB`` for any spelling of it; None for no unit of memory."""
    return _SPELLINGS.get(word.strip().lower())


def is_nothing(cell: str) -> bool:
    """Whether a cell says that there is no reading."""
    return cell.strip().lower() in _NOTHING


def plain_numbers(cells: Sequence[str]) -> FloatArray | None:
    """Return the cells as finite numbers where each is one as Python writes it: fast; else None."""
    try:
        values = np.array([float(cell) for cell in cells], dtype=np.float64)
    except ValueError:
        return None
    return values if np.isfinite(values).all() and not any("_" in cell for cell in cells) else None


def read_sizes(cells: Sequence[str], *, comma_decimal: bool) -> Sizes:
    """Read a column of sizes such as ``300``, ``300.5MiB / 7.6GiB``, ``1,5 GiB`` or ``-``.

    Args:
        cells: The column, one text per row.
        comma_decimal: Whether ``307,200`` is 307.2, as in files whose columns are not separated by commas.
    """
    quick = plain_numbers(cells)
    if quick is not None:
        return Sizes(quick, [""] * len(cells), [])
    values, units, unreadable = np.full(len(cells), nan), [""] * len(cells), list[int]()
    decimal = comma_decimal or _has_decimal_comma(cells)
    for row, cell in enumerate(cells):
        text = cell.partition("/")[0].strip() if not is_nothing(cell) else ""
        if is_nothing(text):
            continue
        number, unit = _number(text, comma_decimal=decimal)
        if number is None or not isfinite(number):
            unreadable.append(row)
            continue
        values[row], units[row] = number, unit
    return Sizes(values, units, unreadable)


def _number(text: str, *, comma_decimal: bool) -> tuple[float | None, str]:
    found = _CELL.match(text)
    unit = unit_of(found[2]) if found and found[2] else ""
    if found is None or unit is None:
        return None, ""
    digits = re.sub(r"['\u00a0\u202f ]", "", found[1])
    if "," in digits and "." in digits:  # the last of the two is the decimal mark
        comma_decimal = digits.rindex(",") > digits.rindex(".")
        digits = digits.replace("." if comma_decimal else ",", "")
    if comma_decimal or not _THOUSANDS_COMMA.match(digits):
        digits = digits.replace(",", ".")
    else:
        digits = digits.replace(",", "")
    try:
        return float(digits), unit
    except ValueError:
        return None, ""


def _has_decimal_comma(cells: Sequence[str]) -> bool:
    """Whether some cell can only be read with the comma as decimal mark."""
    for cell in cells:
        found = _CELL.match(cell.partition("/")[0].strip())
        if found and "," in found[1] and "." not in found[1] and not _THOUSANDS_COMMA.match(found[1].strip()):
            return True
    return False

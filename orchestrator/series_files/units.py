"""In which unit readings are: as the header says, unless they cannot be that; else as the readings themselves show.

Memory comes in pages of 4096 bytes, so that sizes in KB are multiples of 4 and sizes in bytes multiples of 4096; and a
process that runs an interpreter or an engine has between one MB and 128 GB. Whatever is concluded is said in a note.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from orchestrator.analysis.series import FloatArray
from orchestrator.series_files.numbers import UNIT_BYTES

MB = UNIT_BYTES["MB"]
_PAGE = 4096.0
_LEAST_MB, _MOST_MB = 0.9, 131_072.0
"""What the median of a process's memory is expected between. Beyond, another unit is tried."""

_SURELY_MB = 8192.0
"""A number without a unit below this is MB: in KB it would be a process of less than 8 MB, in GB one of terabytes."""

_FEWEST_FOR_PAGES = 5
_SWITCHES = (1024.0, 1000.0, 1024.0**2, 1e6)
_SWITCH_WITHIN = 0.06


class Unit(NamedTuple):
    """A unit, or "" when it must be asked for; ``note`` says what was concluded, and from what."""

    name: str
    note: str = ""


def find_unit(values: FloatArray, told: str, column: str) -> Unit:
    """Return the unit of a column of readings.

    Args:
        values: The readings as numbers, finite.
        told: The unit that the header or the tool tells; "" for none.
        column: The column's name, for the note.
    """
    level = float(np.median(values[values > 0])) if (values > 0).any() else 0.0
    if not level:
        return Unit(told or "MB")
    if told:
        if _LEAST_MB <= level * UNIT_BYTES[told] / MB <= _MOST_MB or _in_pages(values, told):
            return Unit(told)
        other = _by_level(values, level)
        if other in ("", told):
            return Unit(told)
        return Unit(
            other,
            f"{column}: {level:,.6g} {told} is no likely size, so it is read as {other}; --unit {told} says otherwise",
        )
    other = _by_level(values, level)
    return Unit(
        other, f"{column} names no unit and is read as {other}; --unit says otherwise" if other else ""
    )


def _by_level(values: FloatArray, level: float) -> str:
    """Return the unit in which the readings are a likely size; "" when two are."""
    if level < _LEAST_MB:
        return "GB"
    if _in_pages(values, "B") and level >= MB:
        return "B"
    if level >= _MOST_MB * 1024:
        return "B"
    if level >= _MOST_MB or (level >= 1024 and _in_pages(values, "KB")):
        return "KB"
    return "MB" if level < _SURELY_MB else ""


def _in_pages(values: FloatArray, unit: str) -> bool:
    """Whether the readings are whole pages in that unit, and enough of them differ for that to be no chance."""
    if np.unique(values).size < _FEWEST_FOR_PAGES:
        return False
    if unit in ("MB", "GB") and (values == np.rint(values)).all():
        return False  # any whole number of MB is a whole number of pages
    pages = values * UNIT_BYTES[unit] / _PAGE
    return bool((np.abs(pages - np.rint(pages)) < 1e-3).all())


def one_unit(values: FloatArray) -> tuple[FloatArray, list[int]]:
    """Return readings whose unit changes in the middle in the unit they begin with, and where it changes.

    A change is a step to about a thousandth, or a thousand times, of the reading before, to where the series goes on as
    before once the unit is put back. One or two such readings at an end are no change: a process that is just starting
    has next to nothing.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = values[1:] / values[:-1]
    scaled, changes = values.astype(np.float64), list[int]()
    for at in np.flatnonzero(((ratios > 900) & np.isfinite(ratios)) | ((ratios < 1 / 900) & (ratios > 0))):
        ratio = values[at + 1] / values[at]
        factor = min(
            (sign for size in _SWITCHES for sign in (size, 1 / size)),
            key=lambda each: abs(np.log(ratio / each)),
        )
        if 2 < at + 1 < values.size - 2 and abs(ratio / factor - 1) < _SWITCH_WITHIN:
            scaled[at + 1 :] /= factor
            changes.append(int(at) + 1)
    return scaled, changes

"""Times as files write them: ISO, epoch seconds to nanoseconds, times of day, or seconds since the start."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import nan

import numpy as np

from orchestrator.analysis.series import FloatArray
from orchestrator.series_files.numbers import is_nothing, read_sizes

DAY_S = 86_400.0

_EPOCH_FROM = 1e8
"""Numbers from here on are seconds since 1970 (1973 and later), larger ones its thousandths and so on."""

_SCALES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
UNIT_SECONDS = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "ms": 1e-3, "msec": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "ns": 1e-9, "nanoseconds": 1e-9,
    "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0, "d": DAY_S, "day": DAY_S, "days": DAY_S,
}  # fmt: skip

_OF_DAY = re.compile(r"(?:(\d+)-)?(\d{1,3}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*([AaPp][Mm])?$")
_FORMATS = (
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M",
    "%m/%d/%y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M:%S %p", "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M", "%a %b %d %H:%M:%S %Y", "%b %d %H:%M:%S %Y", "%d/%b/%Y:%H:%M:%S %z", "%d %b %Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S GMT", "%Y%m%dT%H%M%SZ", "%Y%m%d %H:%M:%S", "%Y-%m-%d_%H-%M-%S", "%Y-%m-%d %I:%M:%S %p",
)  # fmt: skip


def read_times(cells: Sequence[str], unit: str = "") -> FloatArray | None:
    """Return a column of times in seconds, NaN where a cell has none; None when it holds no times.

    Times of day that pass midnight go on into the next day. Only differences of the numbers mean something.

    Args:
        cells: The column, one text per row.
        unit: The unit that the column's name tells, such as ``ms``; "" for seconds.
    """
    filled = [cell.strip().strip('"') for cell in cells]
    said = [cell for cell in filled if not is_nothing(cell)]
    if not said:
        return None
    for read in (_numbers(unit), _iso, _of_day, *map(_formatted, _FORMATS)):
        times = read(said)
        if times is not None:
            break
    else:
        return None
    found = np.full(len(filled), nan)
    found[[row for row, cell in enumerate(filled) if not is_nothing(cell)]] = times
    return found


def is_time(cell: str) -> bool:
    """Whether one cell is a date with a time, or a time of day."""
    return _iso([cell]) is not None or _OF_DAY.match(cell) is not None


def _numbers(unit: str) -> Callable[[Sequence[str]], FloatArray | None]:
    def read(cells: Sequence[str]) -> FloatArray | None:
        if any(":" in cell or cell.count("-") > 1 for cell in cells[:3]):
            return None
        sizes = read_sizes(cells, comma_decimal=True)
        values = sizes.values
        if np.isnan(values).any() or any(sizes.units):
            return None
        if float(np.median(values)) < _EPOCH_FROM:
            return values * UNIT_SECONDS.get(unit, 1.0)
        scale = next((scale for least, scale in _SCALES if float(np.median(values)) >= least), 1.0)
        return values / scale

    return read


def _iso(cells: Sequence[str]) -> FloatArray | None:
    try:
        times = [datetime.fromisoformat(_short_zone(cell)) for cell in cells]
    except ValueError:
        return None
    return np.array([_seconds(time) for time in times], dtype=np.float64)


def _short_zone(cell: str) -> str:
    """Return the text without what stands behind it for people: ``2026-11-29 10:00:00 UTC``, or ``+0000 UTC``."""
    text = re.sub(r"\s+(UTC|GMT|Z)$", "Z", cell)
    text = re.sub(r"\s+([+-]\d{2}:?\d{2})( ?[A-Z]+|Z)?$", r"\1", text)
    return re.sub(r"(\.\d{6})\d+", r"\1", text)  # Go and Kubernetes write nanoseconds


def _formatted(form: str) -> Callable[[Sequence[str]], FloatArray | None]:
    def read(cells: Sequence[str]) -> FloatArray | None:
        try:
            times = [datetime.strptime(cell, form) for cell in cells]  # noqa: DTZ007 - differences only
        except ValueError:
            return None
        return np.array([_seconds(time) for time in times], dtype=np.float64)

    return read


def _seconds(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _of_day(cells: Sequence[str]) -> FloatArray | None:
    times = list[float]()
    for cell in cells:
        found = _OF_DAY.match(cell)
        if found is None:
            return None
        days, first, second, third, half = found.groups()
        if third is None and half is None and days is None and ":" in cell and int(first) > 23:
            hours, minutes, seconds = 0, int(first), float(second)  # mm:ss
        else:
            hours, minutes, seconds = int(first), int(second), float((third or "0").replace(",", "."))
        if half:
            hours = hours % 12 + (12 if half.lower() == "pm" else 0)
        times.append(int(days or 0) * DAY_S + hours * 3600 + minutes * 60 + seconds)
    values = np.array(times, dtype=np.float64)
    passed = np.concatenate(([0], np.cumsum(np.diff(values) < -DAY_S / 2)))
    return np.asarray(values + passed * DAY_S, dtype=np.float64)

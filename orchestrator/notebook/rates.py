"""Rates as people read them: about three significant digits, with their interval. Pure."""

from __future__ import annotations


def significant(value: float | None) -> str:
    """Return a rate with about three significant digits, ``6.93`` or ``0.119``; never finer than thousandths."""
    return "–" if value is None else _written(value, _decimals(value))


def rate(value: float | None, low: float | None, high: float | None) -> str:
    """Return ``6.93 (6.81 to 7.05)``; without the brackets where there is no interval."""
    if value is None or low is None or high is None:
        return significant(value)
    decimals = _decimals(value)
    return f"{_written(value, decimals)} ({_written(low, decimals)} to {_written(high, decimals)})"


def _decimals(value: float) -> int:
    size = abs(value)
    return 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0


def _written(value: float, decimals: int) -> str:
    written = f"{value:.{decimals}f}"
    return written.removeprefix("-") if float(written) == 0 else written

"""The settings of ``leak_check``: their defaults, their help, and which values they may have.

Imports nothing: every pytest run of the environment loads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

WHEN_INCONCLUSIVE = ("fail", "pass", "skip")


class Option(NamedTuple):
    """One setting: how its text is read, its default, and its help."""

    read: type[int] | type[float] | type[str]
    default: int | float | str | None
    help: str


OPTIONS: Mapping[str, Option] = {
    "iterations": Option(int, 50, "calls of the function; at least 10 (default: 50)"),
    "max_rate": Option(float, None, "growth in MB per iteration that is let through (default: no leak is)"),
    "inconclusive": Option(
        str, "fail", "what a check that decides nothing does: fail, pass or skip (default: fail)"
    ),
    "timeout": Option(float, 60.0, "seconds one call may take (default: 60)"),
}
"""By the keyword of ``leak_check`` and of the marker; ``--leakgate-max-rate`` and ``leakgate_max_rate`` elsewhere."""


def check_setting(name: str, value: Any) -> str | None:
    """Return what is wrong with a setting's value, None for nothing."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "iterations":
        good = isinstance(value, int) and numeric and value >= 10
        return None if good else "a whole number of at least 10: fewer readings decide nothing"
    if name == "inconclusive":
        return None if value in WHEN_INCONCLUSIVE else "fail, pass or skip"
    if name == "max_rate":
        return None if value is None or (numeric and value >= 0) else "MB per iteration, not below 0"
    return None if numeric and value > 0 else "seconds above 0"

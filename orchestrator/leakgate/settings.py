"""The settings of ``leak_check``: their defaults, their help, and which values they may have.

Imports nothing: every pytest run of the environment loads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

WHEN_INCONCLUSIVE = ("fail", "pass", "skip")


class Option(NamedTuple):
    """One setting: how its text is read, its default, and its help."""

    read: Callable[[str], Any]
    default: int | float | str | bool | None
    help: str


def _yes_or_no(said: str) -> bool:
    word = said.strip().lower()
    if word not in _WORDS:
        raise ValueError(said)
    return _WORDS[word]


def _switch(what: str) -> Option:
    return Option(_yes_or_no, True, f"whether {what} (yes or no, default: yes)")


_WORDS = {
    **dict.fromkeys(("yes", "on", "true", "1"), True),
    **dict.fromkeys(("no", "off", "false", "0"), False),
}
OPTIONS: Mapping[str, Option] = {
    "iterations": Option(
        int, 50, "readings, each after as many calls as growth needs to be seen; at least 10 (default: 50)"
    ),
    "max_rate": Option(
        float, None, "growth in MB per call that is let through, of RSS too (default: no leak is)"
    ),
    "inconclusive": Option(
        str, "fail", "what a check that decides nothing does: fail, pass or skip (default: fail)"
    ),
    "timeout": Option(float, 60.0, "seconds one call may take (default: 60)"),
    "tolerance": Option(float, None, "growth in MB per call that is accepted (default: what is no leak)"),
    "max_time": Option(float, 10.0, "seconds after which no other round of calls begins (default: 10)"),
    "memory": _switch("memory that is kept fails"),
    "descriptors": _switch("open files and sockets that become more fail"),
    "threads": _switch("threads that become more fail"),
    "children": _switch("child processes that run on fail"),
    "zombies": _switch("child processes that ended and were not waited for fail"),
    "locate": Option(
        _yes_or_no, False, "whether a leak's message has the call stacks that leak (yes or no, default: no)"
    ),
    "shared_memory": _switch("segments of shared memory that become more fail"),
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
    if name in ("max_rate", "tolerance"):
        return None if value is None or (numeric and value >= 0) else "MB per iteration, not below 0"
    if isinstance(OPTIONS[name].default, bool):
        return None if isinstance(value, bool) else "True or False"
    return None if numeric and value > 0 else "seconds above 0"

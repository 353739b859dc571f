"""The flags of this process's interpreter that its workers are started with.

What changes how Python code behaves is passed on: a function must not mean something else in a worker. What would
change the measured memory or fill the output is not. ``docs/hosts.md`` has the table with the reasons.
"""

from __future__ import annotations

import sys

_OPTIONS = frozenset(
    [
        "context_aware_warnings",
        "cpu_count",
        "dev",
        "gil",
        "int_max_str_digits",
        "no_debug_ranges",
        "pycache_prefix",
        "thread_inherit_context",
        "utf8",
        "warn_default_encoding",
    ]
)
"""Of ``-X``. Left out: importtime, tracemalloc, perf and the like, which print or take memory."""
_SWITCHES = (
    ("optimize", "O"),
    ("bytes_warning", "b"),
    ("dont_write_bytecode", "B"),
    ("isolated", "I"),
    ("ignore_environment", "E"),
    ("no_user_site", "s"),
    ("no_site", "S"),
)


def worker_flags() -> list[str]:
    """Return the flags of a worker's command line: ours and those of the host that are passed on."""
    passed = [
        f"-{letter * int(getattr(sys.flags, name))}" for name, letter in _SWITCHES if getattr(sys.flags, name)
    ]
    for name, value in getattr(sys, "_xoptions", {}).items():
        if name in _OPTIONS:
            passed += ["-X", name if value is True else f"{name}={value}"]
    for said in sys.warnoptions:
        passed += ["-W", said]
    return ["-u", "-P", "-X", "faulthandler", *passed]

"""The words for an exit status, as results, logs and errors use them.

Pure. What a death means for the job under way is decided elsewhere; here a number gets its name.
"""

from __future__ import annotations

import signal


def describe_exit(returncode: int) -> str:
    """Return ``SIGABRT``, ``exit code 3`` … for a ``Popen.returncode``.

    A negative number is minus the signal that ended the process. A shell's 128 + signal stays an exit code:
    a process may leave with 134 of its own will, and a worker has no shell above it.
    """
    return signal_name(-returncode) if returncode < 0 else f"exit code {returncode}"


def signal_name(number: int) -> str:
    """Return ``SIGSEGV``, ``SIGRTMIN+3`` …; ``signal 32`` where the system gives the number no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return _realtime_name(number) or f"signal {number}"


def _realtime_name(number: int) -> str | None:
    # Python names only both ends of the real-time range. Its limits are the C library's, known at run time:
    # glibc keeps the kernel's first two for itself.
    first, last = getattr(signal, "SIGRTMIN", None), getattr(signal, "SIGRTMAX", None)
    if first is None or last is None or not first < number < last:
        return None
    return f"SIGRTMIN+{number - first}"

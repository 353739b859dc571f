"""What ends a command from outside: Ctrl-C, SIGTERM, SIGHUP, and an output that nobody takes any more.

A command that keeps what it has done on disk turns all of them into the exit code "interrupted, resumable".
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.streams import OutputError, abandon_output, say_last

_GONE = {errno.EPIPE, errno.EIO}
"""The reader or the terminal went away, which is no mistake in the command: as with Ctrl-C it can go on."""


class Interrupted(KeyboardInterrupt):
    """A signal asks us to end.

    A class of our own, because CPython remembers that the plain one has passed through an ``exec`` (dataclasses
    are made by one, while modules are imported), and at the end of ``python -m`` kills the process by SIGINT
    over it, exit code or not.
    """


def interruptible(work: Callable[[], ExitCode], *, kept: str = "") -> ExitCode:
    """Do ``work`` and return its exit code, or INTERRUPTED when a signal or a lost output ended it.

    ``kept`` tells the user what has become of what was done so far; by default that --resume goes on.

    ``work`` sees a ``KeyboardInterrupt`` (once, however many signals come) or an ``OutputError``, and must have
    everything on disk when it lets it pass. Other errors pass.
    """
    with _terminated_like_interrupted():
        try:
            return work()
        except KeyboardInterrupt:
            say_last(f"interrupted; {kept or 'everything measured is on disk, --resume goes on'}")
        except OutputError as error:
            abandon_output()
            say_last(f"stopped: {error}; {kept or '--resume goes on'}")
            if error.number not in _GONE:
                return ExitCode.USAGE
        return ExitCode.INTERRUPTED


@contextmanager
def _terminated_like_interrupted() -> Generator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C; a second one of either kind changes nothing any more."""
    seen = False

    def once(_number: int, _frame: FrameType | None) -> None:
        # A flag, not SIG_IGN: signals that came together are all delivered, and Python complains in the midst
        # of our last writes about one that has no handler any more.
        nonlocal seen
        if not seen:
            seen = True
            raise Interrupted

    before = {name: signal.signal(name, once) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        if not seen:  # else the process is about to end, and must not be hit on its way out
            for name, handler in before.items():
                signal.signal(name, handler)

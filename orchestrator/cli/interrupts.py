"""What ends a command from outside: Ctrl-C, SIGTERM, SIGHUP, and an output that nobody takes any more.

A command that keeps what it has done on disk turns all of them into the exit code "interrupted, resumable".
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType

from orchestrator.cli.exit_codes import ExitCode

OUTPUT_GONE = {
    errno.EPIPE: "nobody reads the output any more",
    errno.EIO: "the terminal has gone",
    errno.ENOSPC: "the output cannot be written, its disk is full",
}
"""What an OSError of a stream (one that names no file) says about it."""


class Interrupted(KeyboardInterrupt):
    """A signal asks us to end.

    A class of our own, because CPython remembers that the plain one has passed through an ``exec`` (dataclasses
    are made by one, while modules are imported), and at the end of ``python -m`` kills the process by SIGINT
    over it, exit code or not.
    """


def interruptible(work: Callable[[], ExitCode], *, kept: str = "") -> ExitCode:
    """Do ``work`` and return its exit code, or INTERRUPTED when a signal or a lost output ended it.

    ``kept`` tells the user what has become of what was done so far; by default that --resume goes on.

    ``work`` sees a ``KeyboardInterrupt`` (once, however many signals come) or an ``OSError``, and must have
    everything on disk when it lets it pass. Other errors pass.
    """
    with _terminated_like_interrupted():
        try:
            return work()
        except KeyboardInterrupt:
            _say(f"interrupted; {kept or 'everything measured is on disk, --resume goes on'}")
        except OSError as error:
            if error.errno not in OUTPUT_GONE or error.filename is not None:
                raise
            _let_go_of_stdout()
            _say(f"stopped: {OUTPUT_GONE[error.errno]}; {kept or '--resume goes on'}")
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


def _say(words: str) -> None:
    with suppress(OSError):  # stderr may have gone as well
        print(words, file=sys.stderr)


def _let_go_of_stdout() -> None:
    """Point stdout to nowhere, or the interpreter would complain about its rest when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

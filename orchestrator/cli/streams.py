"""The standard streams of a command: they always exist, take every character, and say clearly when they fail.

Python gives ``None`` for a stream that was closed before the start (``>&-``), raises for a character that the
terminal's encoding lacks (``LANG=C``), and raises the same ``OSError`` for a full disk under the output as for one
under the results. Here a closed stream is a stream that cannot be written, such a character is replaced, and a failed
write is an :class:`OutputError`, which nothing takes for the failure of a file.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

_REASONS = {
    errno.EPIPE: "the reader of the output has closed it",
    errno.EIO: "the terminal has gone",
    errno.ENOSPC: "the output cannot be written, its disk is full",
    errno.EBADF: "the output cannot be written, it is closed",
}


class OutputError(Exception):
    """Standard output or standard error cannot be written. ``number`` is the errno.

    Not an ``OSError`` and not an ``OrchestratorError``: code that handles those handles files and jobs, and must let
    this one pass to the command's end.
    """

    def __init__(self, error: OSError) -> None:
        self.number = error.errno
        super().__init__(
            _REASONS.get(error.errno or 0, f"the output cannot be written: {error.strerror or error}")
        )

    @property
    def nobody_reads(self) -> bool:
        """Whether the reader has left, as ``head`` does when it has seen enough."""
        return self.number == errno.EPIPE


class OutputStream(io.TextIOWrapper):
    """A text stream whose failed writes are :class:`OutputError`.

    It hides ``buffer``: click would write around us when the encoding is ASCII, in UTF-8 and without our errors.
    """

    @property
    def buffer(self) -> Any:
        """Not there, so that all output passes through :meth:`write`."""
        raise AttributeError("buffer")

    def write(self, text: str, /) -> int:
        """Write text; what the encoding lacks is replaced."""
        try:
            return super().write(text)
        except OSError as error:
            raise OutputError(error) from error

    def flush(self) -> None:
        """Hand on what is buffered."""
        try:
            super().flush()
        except OSError as error:
            raise OutputError(error) from error


def prepare_streams() -> None:
    """Replace ``sys.stdin``, ``sys.stdout`` and ``sys.stderr`` where they are missing or may raise what we do not want.

    Streams that somebody else has put there (a test) stay.
    """
    _open_missing()
    sys.stdout = _made_safe(sys.stdout, "replace")
    sys.stderr = _made_safe(sys.stderr, "backslashreplace")


def _made_safe(stream: TextIO, errors: str) -> TextIO:
    # The old stream lives on as sys.__stdout__, which keeps the shared buffer open.
    if isinstance(stream, OutputStream) or not isinstance(stream, io.TextIOWrapper):
        return stream
    shared: Any = cast("TextIO", stream).buffer
    return OutputStream(
        shared,
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _open_missing() -> None:
    """Fill closed descriptors, or the next file opened would get their numbers and what is printed."""
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            # Read-only in the place of standard output: every write fails there as on a closed descriptor.
            opened = os.open(os.devnull, flags)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
    # typeshed says that they are never None; with a closed descriptor they are.
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.__stdout__ = sys.stdout  # type: ignore[misc]
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.__stderr__ = sys.stderr  # type: ignore[misc]


def flush_streams() -> None:
    """Hand on what is buffered, while a failure can still be told; the interpreter's own flush comes too late.

    Raises:
        OutputError: It cannot be written.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def abandon_output() -> None:
    """Point standard output, and standard error if it fails too, to nowhere: the interpreter flushes once more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OutputError:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def say_last(words: str) -> None:
    """Print a last sentence on standard error, if that is still possible."""
    with suppress(OutputError, OSError, ValueError):
        print(words, file=sys.stderr, flush=True)

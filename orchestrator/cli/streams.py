r"""The standard streams of a command: they always exist, take every character, and say clearly when they fail.

A terminal obeys what it is sent. So what stands in model text, file names, titles or headers of other people's files
and would move the cursor, set the title or turn the text round is shown as ``\x1b`` instead; only what rich adds to a
text goes out as it is (:mod:`.terminal.drawing`).

Python gives ``None`` for a stream that was closed before the start (``>&-``), raises for a character that the
terminal's encoding lacks (``LANG=C``), and raises the same ``OSError`` for a full disk under the output as for one
under the results. Here a closed stream is a stream that cannot be written, such a character is replaced, and a failed
write is an :class:`OutputError`, which nothing takes for the failure of a file.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

_REASONS = {
    errno.EPIPE: "the reader of the output has closed it",
    errno.EIO: "the terminal has gone",
    errno.ENOSPC: "the output cannot be written, its disk is full",
    errno.EBADF: "the output cannot be written, it is closed",
}

# Control characters but for line feed, tab and the carriage return of a line's end (C0, DEL, C1), the line ends that
# only some programs know, and the marks that turn the direction of the text behind them round.
_OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\r(?!\n)")


def visible(text: str) -> str:
    r"""Return ``text`` with every character that a terminal would obey escaped as Python writes it: ``\x1b``."""
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


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


class TerminalStream(OutputStream):
    """A stream to a terminal, which gets nothing from us that it would obey, but for what goes through ``obeyed``."""

    def __init__(self, obeyed: OutputStream, shared: Any, **settings: Any) -> None:
        super().__init__(shared, **settings)
        self.obeyed = obeyed
        """The same terminal without the filter, for rich and its colours. Unbuffered, so that the order is kept."""

    def write(self, text: str, /) -> int:
        """Write text with what a terminal would obey made visible."""
        return super().write(visible(text))


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
    settings: dict[str, Any] = {
        "encoding": stream.encoding,
        "errors": errors,
        "line_buffering": stream.line_buffering,
    }
    plain = OutputStream(shared, **settings, write_through=stream.write_through or stream.isatty())
    return TerminalStream(plain, shared, **settings, write_through=True) if stream.isatty() else plain


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

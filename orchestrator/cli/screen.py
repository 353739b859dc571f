"""Where a command's lines go: data to stdout, progress and log to stderr.

Colour only on a terminal, and never with NO_COLOR; what is not a terminal gets plain text of any length, and
a character its encoding lacks becomes a question mark instead of an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TextIO

from rich.console import Console
from rich.text import Text

from orchestrator.report.layout import Line, Role

STYLES: Mapping[Role, str] = {
    "title": "bold",
    "heading": "bold",
    "rule": "dim",
    "note": "dim",
    "bad": "red",
    "row": "",
    "text": "",
}


class Screen:
    """One output stream. ``width`` is None for anything that is not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self.is_terminal = stream.isatty()

    @property
    def width(self) -> int | None:
        """Cells of a terminal's line; None where lines may be as long as they are."""
        return self.console.width if self.is_terminal else None

    def write(self, lines: Iterable[Line]) -> None:
        """Print lines, flushed: a reader at the other end of a pipe sees them as they come."""
        for line in lines:
            if self.is_terminal:
                self.console.print(Text(line.text.rstrip(), STYLES[line.role]), soft_wrap=True)
            else:
                self.write_text(line.text.rstrip())

    def write_text(self, text: str) -> None:
        """Print one plain line."""
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._stream.flush()

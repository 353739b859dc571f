"""Where a command's lines go: data to stdout, progress and log to stderr.

Colour only on a terminal, and never with NO_COLOR; what is not a terminal gets plain text of any length, and
a character its encoding lacks becomes a question mark instead of an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from orchestrator.report.layout import Line, Role

if TYPE_CHECKING:
    from rich.console import Console

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
        self.is_terminal = stream.isatty()

    @cached_property
    def console(self) -> Console:
        """Rich's view of the stream; made, and rich imported, only where a terminal or a table asks for it."""
        from orchestrator.cli.terminal.drawing import console_on

        return console_on(self._stream)

    @property
    def width(self) -> int | None:
        """Cells of a terminal's line; None where lines may be as long as they are."""
        return self.console.width if self.is_terminal else None

    def write(self, lines: Iterable[Line], *, plain: Callable[[str], str] | None = None) -> None:
        """Print lines, flushed: a reader at the other end of a pipe sees them as they come.

        ``plain`` puts other characters in the place of those that the stream's encoding lacks.
        """
        for line in lines:
            if plain is not None and not self._can_encode(line.text):
                line = line._replace(text=plain(line.text))  # noqa: PLW2901 - the same line in other letters
            if self.is_terminal:
                self.console.print(line.text.rstrip(), style=STYLES[line.role] or None, soft_wrap=True)
            else:
                self.write_text(line.text.rstrip())

    def _can_encode(self, text: str) -> bool:
        try:
            text.encode(self._stream.encoding or "utf-8")
        except UnicodeEncodeError:
            return False
        return True

    def write_text(self, text: str) -> None:
        """Print one plain line."""
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._stream.flush()

    def write_json(self, document: bytes) -> None:
        """Print a JSON document and a line's end; what the encoding lacks is escaped, so that it reads back whole."""
        text = document.decode().rstrip("\n")
        try:
            text.encode(self._stream.encoding or "utf-8")
        except UnicodeEncodeError:
            text = _BEYOND_ASCII.sub(_escaped, text)
        self._stream.write(text + "\n")
        self._stream.flush()


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def _escaped(found: re.Match[str]) -> str:
    """Return a character as JSON escapes it: two surrogates beyond the first 65,536."""
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))

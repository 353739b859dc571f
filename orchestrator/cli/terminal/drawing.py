"""Rich's console for a terminal: what rich adds (colours, moves of the cursor) is obeyed, what is in a text is shown.

Every view is made with :func:`console_on`; a text from outside needs no care where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from orchestrator.cli.streams import TerminalStream, visible


class _ShowingConsole(Console):
    """Rich leaves the escape character in a text alone. Here the text of every segment is made visible."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, as rich does, with segments of text made visible; segments that rich makes for control stay."""
        for segment in super().render(renderable, options):
            if segment.control is None and (text := _shown(segment.text)) != segment.text:
                yield Segment(text, segment.style)
            else:
                yield segment


def _shown(text: str) -> str:
    return visible(text.replace("\r", ""))  # a line's end within a cell


def console_on(stream: TextIO, **settings: Any) -> Console:
    """Return rich's console on one of the standard streams; ``settings`` are those of ``rich.console.Console``.

    Nothing is highlighted, and brackets and colons in a text mean nothing.
    """
    file = stream.obeyed if isinstance(stream, TerminalStream) else stream
    return _ShowingConsole(file=file, highlight=False, markup=False, emoji=False, **settings)

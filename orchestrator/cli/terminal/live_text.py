"""Text on a terminal while it comes: one line of progress and the piece that is being transcribed.

Drawn on stderr and wiped when the recording is done, so that stdout holds the result and nothing else. What the
engine takes back (:class:`Chunk.replaces`) is redrawn; Chinese is shown as it will be written in Taiwan.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from orchestrator.text.chinese import ChineseText, GrowingText

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from orchestrator.pipeline import PartialText

SHOWN_CHARACTERS = 600


class LiveText:
    """Shows :class:`PartialText` when stderr is a terminal; else does nothing.

    Args:
        title: Returns the line above the text: the recording, and how far it is.
        language: As asked for; None leaves it to the text.
        chinese: What is made of Chinese.
    """

    def __init__(self, title: Callable[[], str], language: str | None, chinese: ChineseText) -> None:
        self._title = title
        self._new_piece = partial(GrowingText, language, chinese)
        self._live: Live | None = None
        self._done = ""
        self._growing = self._new_piece()
        self._piece = ""

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.live import Live

            from orchestrator.cli.terminal.drawing import console_on

            console = console_on(sys.stderr)
            self._live = Live(
                console=console, transient=True, refresh_per_second=12, get_renderable=self._draw
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def tell(self, told: PartialText) -> None:
        """Take the next piece of text."""
        chunk = told.chunk
        if told.done:
            self._done = f"{self._done} {self._new_piece().add(chunk.text).strip()}".strip()[
                -SHOWN_CHARACTERS:
            ]
            self._growing = self._new_piece()
            self._piece = ""
        else:
            self._piece = self._growing.add(chunk.text, chunk.replaces)

    def _draw(self) -> RenderableType:
        from rich.text import Text

        text = f"{self._done} {self._piece}".strip()[-SHOWN_CHARACTERS:]
        return Text.assemble((f"{self._title()}\n", "dim"), text)

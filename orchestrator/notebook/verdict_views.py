"""What every kind of verdict has in a notebook: its card, and one row as a frame."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.notebook.frames import Column
from orchestrator.notebook.shown import Shown
from orchestrator.notebook.verdict_card import verdict_card
from orchestrator.notebook.verdict_rows import fields_of, verdict_row


class ShownVerdict(Shown):
    """Gives a class of verdicts ``to_pandas`` and ``to_polars``, one row each, and HTML for notebooks."""

    __slots__ = ()

    def _columns(self) -> Mapping[str, Column]:
        row = verdict_row(self)
        return {name: Column(kind, [row[name]]) for name, kind, _ in fields_of(type(self))}

    def _html(self) -> str:
        return verdict_card(self)

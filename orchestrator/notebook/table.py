"""Rows of one kind: what tidy results are handed over as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from orchestrator.notebook.fragment import fragment, paragraph, plain_table
from orchestrator.notebook.frames import Column, Kind
from orchestrator.notebook.shown import Shown

_SHOWN_ROWS = 10

Row = Mapping[str, Any]
"""One row: every column by its name; None where a value is not known."""


class Table(Shown, Sequence[Row]):
    """A sequence of rows, each a mapping with the same keys; ``to_pandas`` and ``to_polars`` make a frame of them.

    A slice is a table again.
    """

    __slots__ = ("_kinds", "_rows", "_what")

    def __init__(self, what: str, kinds: Mapping[str, Kind], rows: Sequence[Row]) -> None:
        """Take rows; ``what`` says in one word what each is, ``kinds`` is every column in its order."""
        self._what = what
        self._kinds = kinds
        self._rows = rows

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(self._kinds)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """What each column holds: ``float``, ``int``, ``text`` or ``bool``."""
        return self._kinds

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Table: ...
    def __getitem__(self, index: int | slice) -> Row | Table:
        if isinstance(index, slice):
            return Table(self._what, self._kinds, self._rows[index])
        return self._rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"<{_counted(len(self), self._what)}: {', '.join(self.columns)}>"

    def _columns(self) -> Mapping[str, Column]:
        return table_columns(self)

    def _html(self) -> str:
        filled = [name for name in self._kinds if any(row.get(name) is not None for row in self._rows)]
        first = self._rows[:_SHOWN_ROWS]
        left = len(self) - len(first)
        rest = paragraph(f"and {left} more", "note") if left else ""
        shown = plain_table(filled, [[_short(row.get(name)) for name in filled] for row in first], "rows")
        return fragment(paragraph(_counted(len(self), self._what), "said"), shown if first else "", rest)


def table_columns(table: Table) -> Mapping[str, Column]:
    """Return the rows of a table as columns, by name."""
    return {name: Column(kind, [row.get(name) for row in table]) for name, kind in table.kinds.items()}


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _short(value: object) -> object:
    return f"{value[:60]}…" if isinstance(value, str) and len(value) > 61 else value

"""Ruled tables as lines of text: names to the left, numbers to the right, never wider than asked.

Widths are those of a terminal, so that Chinese takes two cells a character. A line carries its role, so that
a terminal may colour it; its text is complete without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len

RULE_WIDTH = 70
"""Length of the rules in the original study; a wider table gets longer ones."""

Role = Literal["title", "rule", "heading", "row", "note", "bad", "text"]

_BREAK = re.compile(r" (?=[(@])")
_GAP = 2
_LEAST_NAME = 30
_LEAST_COLUMN = 14


class Line(NamedTuple):
    """One line of a report."""

    text: str
    role: Role = "text"


BLANK = Line("")


class Row(NamedTuple):
    """A table's row. One without cells is a rule."""

    name: str = ""
    cells: tuple[str, ...] = ()


RULE = Row()


def title_block(title: str, width: int | None = None) -> list[Line]:
    """Return a title between two double rules."""
    rule = Line("=" * _rule_width(cell_len(title), width), "rule")
    return [rule, Line(title, "title"), rule]


def table(name: str, columns: Sequence[str], rows: Sequence[Row], width: int | None = None) -> list[Line]:
    """Return a heading, a rule and the rows.

    Args:
        name: Heading of the first column.
        columns: Headings of the others. Where the table would be wider than ``width`` they are broken before
            ``(`` and ``@``, and if that is not enough the columns that are left follow in a table below.
        rows: As many cells each as there are columns.
        width: Cells of the terminal; None sets no limit.
    """
    headings = [[column] for column in columns]
    if width is not None and _total(name, headings, rows) > width:
        headings = [_BREAK.split(column) for column in columns]
    lines: list[Line] = []
    start = 0
    while start < len(columns):
        end = _fitting(name, headings, rows, start, width)
        part = [Row(row.name, row.cells[start:end]) for row in rows]
        lines += [BLANK] if lines else []
        lines += _block(name, headings[start:end], part, width)
        start = end
    return lines


def fit(text: str, width: int) -> str:
    """Return ``text`` padded on the right to ``width`` cells."""
    return text + " " * max(0, width - cell_len(text))


def _block(name: str, headings: Sequence[list[str]], rows: Sequence[Row], width: int | None) -> list[Line]:
    names = _name_width(name, rows)
    widths = [_column_width(heading, rows, index) for index, heading in enumerate(headings)]
    height = max(len(heading) for heading in headings)
    stacked = [[""] * (height - len(heading)) + heading for heading in headings]
    lines = [
        Line(
            _line(name if level == height - 1 else "", [head[level] for head in stacked], names, widths),
            "heading",
        )
        for level in range(height)
    ]
    rule = Line("-" * _rule_width(names + sum(widths), width), "rule")
    lines.append(rule)
    lines += [Line(_line(row.name, row.cells, names, widths), "row") if row.cells else rule for row in rows]
    return lines


def _line(name: str, cells: Sequence[str], names: int, widths: Sequence[int]) -> str:
    return fit(name, names) + "".join(
        " " * (width - cell_len(cell)) + cell for cell, width in zip(cells, widths, strict=True)
    )


def _fitting(
    name: str, headings: Sequence[list[str]], rows: Sequence[Row], start: int, width: int | None
) -> int:
    """Return the end of the columns from ``start`` that fit, at least one."""
    if width is None:
        return len(headings)
    total = _name_width(name, rows)
    end = start
    while end < len(headings):
        total += _column_width(headings[end], rows, end)
        if total > width and end > start:
            break
        end += 1
    return end


def _total(name: str, headings: Sequence[list[str]], rows: Sequence[Row]) -> int:
    return _name_width(name, rows) + sum(_column_width(head, rows, i) for i, head in enumerate(headings))


def _name_width(name: str, rows: Sequence[Row]) -> int:
    return max(_LEAST_NAME, *(cell_len(text) for text in (name, *(row.name for row in rows))))


def _column_width(heading: Sequence[str], rows: Sequence[Row], index: int) -> int:
    cells = [row.cells[index] for row in rows if row.cells]
    return max(_LEAST_COLUMN, _GAP + max(cell_len(text) for text in (*heading, *cells)))


def _rule_width(content: int, width: int | None) -> int:
    wanted = max(RULE_WIDTH, content)
    return wanted if width is None else max(1, min(wanted, width))

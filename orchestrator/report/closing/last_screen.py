"""The last screen of a run, at a width: what came out, one row a method, what to do, which engines, where it is. Pure.

::

    RESULT  5 of 12 methods leak · 7 do not · 0 undecided                      2 min 34 s
                                verdict  lost per iteration  above fresh
    exp2      Destroy+Recreate  LEAK     0.12 MB                 +131 MB  ▁▃▅▆▇▇█
              Restart()         LEAK     0.12 MB                  +98 MB  ▁▂▃▄▅▆▇█
    all five  fresh processes   no leak
    WHAT TO DO
      asr-small: recycle after 254 jobs or at 319 MB (costs 1.0 % of the time)
      where it leaks: orchestrator locate experiments.toml --only exp2
    Engines: moonshine, pocketsphinx (profile embedded)
    Report: results/report.html
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from orchestrator.report.closing.rows import ClosingRow, Kind, headline, merged
from orchestrator.report.closing.sparkline import BLOCKS, PLAIN, sparkline
from orchestrator.report.closing.what_to_do import ToDo
from orchestrator.report.layout import BLANK, Line, Role, fit

PIPE_WIDTH = 80
"""Cells of a line where the output is no terminal: a log is read anywhere."""

_WIDEST = 120
_GAP = "  "
_WIDE_HEADINGS = ("verdict", "lost per iteration", "above a fresh process")
_NARROW_HEADINGS = ("verdict", "lost per iteration", "above fresh")
_LEAST_METHOD = 8
_SPARKS = (8, 6, 5)
"""Blocks of a sparkline, from wide to narrow; fewer would show no shape."""
_ROLES: dict[Kind, Role] = {"leak": "bad", "broke off": "bad", "not run": "note", "undecided": "note"}


@dataclass(frozen=True, slots=True)
class Closing:
    """All that the last screen says.

    Attributes:
        rows: Of all methods, in the order of the run.
        took: How long the run took, in words.
        to_do: What to do.
        engines: The line about engines and profile.
        report: Where the report and the raw data are.
    """

    rows: Sequence[ClosingRow]
    took: str
    to_do: Sequence[ToDo] = ()
    engines: str = ""
    report: str = ""


def last_screen(closing: Closing, width: int | None = None) -> list[Line]:
    """Return the lines; no more than ``width`` cells each but for commands, which are never broken."""
    cells = PIPE_WIDTH if width is None else max(20, min(width, _WIDEST))
    nothing = all(row.kind == "not run" for row in closing.rows)
    lines = [BLANK, Line("=" * cells, "rule"), *result_lines(closing, cells)]
    if closing.to_do:
        lines.append(Line("WHAT TO DO", "title"))
    for each in closing.to_do:
        lines += _to_do(each, cells)
    lines += _wrapped(closing.engines, "Engines: ", cells)
    lines += _wrapped(closing.report, "Report: ", cells)
    return [*lines, Line("nothing was measured", "bad")] if nothing else lines


def result_lines(closing: Closing, cells: int) -> list[Line]:
    """Return the first line and the table."""
    head, took = f"RESULT  {headline(closing.rows)}", closing.took
    room = cells - cell_len(head) - cell_len(took)
    first = [f"{head}{' ' * room}{took}"] if room >= 2 else [*textwrap.wrap(head, cells), took]
    return [*(Line(text, "title") for text in first if text), *_table(merged(closing.rows), cells)]


def _table(rows: Sequence[ClosingRow], cells: int) -> list[Line]:
    """Return the table as rich as the width allows: first the kind of work goes, then the sparkline."""
    wide, narrow = (True, _WIDE_HEADINGS, len(BLOCKS)), (True, _NARROW_HEADINGS, len(BLOCKS))
    for with_work, headings, spark in (
        wide,
        narrow,
        *((False, _NARROW_HEADINGS, count) for count in _SPARKS),
    ):
        table = _all_texts(rows, with_work=with_work, spark=spark)
        if _width(table, headings) <= cells:
            return _drawn(rows, table, headings)
    bare = _shortened(_all_texts(rows, with_work=False, spark=0), _NARROW_HEADINGS, cells)
    return _drawn(rows, bare, _NARROW_HEADINGS, cells)


def _all_texts(rows: Sequence[ClosingRow], *, with_work: bool, spark: int) -> list[list[str]]:
    return [_texts(row, before, with_work, spark) for before, row in _with_before(rows)]


def _with_before(rows: Sequence[ClosingRow]) -> list[tuple[ClosingRow | None, ClosingRow]]:
    return list(zip((None, *rows), rows, strict=False))


def _texts(row: ClosingRow, before: ClosingRow | None, with_work: bool, spark: int) -> list[str]:
    again = before is not None and before.experiment == row.experiment
    name = f"{row.experiment} {row.work}".strip() if with_work else row.experiment
    drawn = sparkline(row.readings, row.span, spark)
    return ["" if again else name, row.method, row.verdict, row.number, row.above, drawn]


def _widths(table: Sequence[Sequence[str]], headings: Sequence[str]) -> list[int]:
    heads = _heads(table, headings)
    return [max(cell_len(text) for text in column) for column in zip(heads, *table, strict=True)]


def _heads(table: Sequence[Sequence[str]], headings: Sequence[str]) -> list[str]:
    """Return the headings of all columns; none above a column that is empty."""
    filled = [any(column) for column in zip(*table, strict=True)]
    return [head if there else "" for head, there in zip(("", "", *headings, ""), filled, strict=True)]


def _width(table: Sequence[Sequence[str]], headings: Sequence[str]) -> int:
    widths = _widths(table, headings)
    return sum(widths) + len(_GAP) * (len([width for width in widths if width]) - 1)


def _shortened(table: Sequence[list[str]], headings: Sequence[str], cells: int) -> list[list[str]]:
    """Cut names of experiments and methods until the table fits."""
    names, methods = _widths(table, headings)[:2]
    over = max(0, _width(table, headings) - cells)
    for_methods = min(over, max(0, methods - _LEAST_METHOD))
    limits = (max(4, names - (over - for_methods)), methods - for_methods)
    return [
        [*(_cut(text, limit) for text, limit in zip(row, limits, strict=False)), *row[2:]] for row in table
    ]


def _cut(text: str, limit: int) -> str:
    return text if cell_len(text) <= limit else set_cell_size(text, limit - 1) + "…"


def _drawn(
    rows: Sequence[ClosingRow], table: Sequence[Sequence[str]], headings: Sequence[str], cells: int = _WIDEST
) -> list[Line]:
    widths = _widths(table, headings)
    lines = [Line(_cut(_joined(_heads(table, headings), widths), cells), "heading")]
    for row, texts in zip(rows, table, strict=True):
        lines.append(Line(_cut(_joined(texts, widths), cells), _ROLES.get(row.kind, "row")))
    return lines


def _joined(texts: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line: numbers above a fresh process to the right, all else to the left."""
    parts = [
        " " * (width - cell_len(text)) + text if at == _ABOVE else fit(text, width)
        for at, (text, width) in enumerate(zip(texts, widths, strict=True))
        if width
    ]
    return _GAP.join(parts).rstrip()


_ABOVE = 4


def _to_do(each: ToDo, cells: int) -> list[Line]:
    """Return a thing to do, its command on the same line where there is room, else below."""
    whole = f"  {each.words} {each.command}".rstrip()
    if cell_len(whole) <= cells and "\n" not in whole:
        return [Line(whole)]
    commands = [Line(f"    {line}") for line in each.command.splitlines()]
    return [*_wrapped(each.words, "  ", cells), *commands]


def _wrapped(text: str, opening: str, cells: int) -> list[Line]:
    """Return the text behind its opening, broken between words; nothing for no text."""
    if not text:
        return []
    return [
        Line(line)
        for line in textwrap.wrap(
            text,
            cells,
            initial_indent=opening,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def plain(text: str) -> str:
    """Return ``text`` without the characters that an encoding of 256 letters lacks."""
    return text.translate(str.maketrans(BLOCKS + "·", PLAIN + "-"))

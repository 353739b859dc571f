"""Text in columns, whatever separates them, as tables of cells.

Separated by commas, semicolons, tabs or bars (CSV), or by blanks as ``ps``, ``pidstat``, ``psrecord``, ``top``,
``docker stats`` and ``kubectl top`` print them. A header may come again, after a restart or with every snapshot.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.series_files.columns import column_of
from orchestrator.series_files.times import is_time

_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT = 40
"""Lines at the start in which the header must be; titles and settings may stand before it."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")
_TOP = re.compile(r"top - (\d+:\d+:\d+)")
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) +(\d+) (\d+:\d+:\d+)(?: [AP]M)?(?: [A-Z]{2,5})? (\d{4})"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DIGITS_INSIDE = re.compile(r"\s\d")
_SLASH = re.compile(r"\s+/\s+")
_LONGEST_CLOCK = 40
_DAY_AND_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})")
_HALF_DAY = re.compile(r"^(\s*\d+:\d+:\d+) ([AP]M)\b")
_IN_ONE = (
    (re.compile(r"\s+/\s+"), "/"),
    (
        re.compile(
            r"\b(CONTAINER|Elapsed|elapsed|POD|MEM|NET|BLOCK|CPU|Command|User) (ID|time|NAME|USAGE|I/O)\b"
        ),
        r"\1_\2",
    ),
    (re.compile(r"(?<!%)\b(CPU|MEM) +%(?!\w)"), r"\1_%"),
    (re.compile(r"(\w) +([(\[][^()\[\]]*[)\]])"), r"\1\2"),
)
"""Names of several words, as one word."""


@dataclass(slots=True)
class Table:
    """Cells below their names.

    Attributes:
        header: Names of the columns; empty when none was recognised.
        rows: Rows of cells, each as long as the header.
        lines: Line of the file for each row, from 1.
        short: Lines that look like rows but have too few cells.
        comma_decimal: Whether a comma can only be a decimal mark.
        kilobytes: Whether sizes without a unit are in KB, as those of ps, top and pidstat.
    """

    header: list[str]
    rows: list[list[str]] = field(default_factory=list[list[str]])
    lines: list[int] = field(default_factory=list[int])
    short: list[int] = field(default_factory=list[int])
    comma_decimal: bool = False
    kilobytes: bool = False

    def add(self, row: Sequence[str], line: int) -> None:
        """Keep a row; cells beyond the header belong to the last one."""
        if len(row) < len(self.header):
            self.short.append(line)
            return
        self.rows.append(list(row[: len(self.header)]))
        self.lines.append(line)


def read_table(text: str, column: str = "") -> Table:
    """Return the table of a text. Where no header is recognised, ``header`` has the names of the first line.

    Args:
        text: The text.
        column: A name that the header has, where it is not one that says memory.
    """
    lines = [
        (number, line) for number, line in enumerate(_ESCAPES.sub("", text).split("\n"), 1) if line.strip()
    ]
    delimiter = _delimiter(lines, column)
    if delimiter:
        return _delimited(lines, delimiter, column)
    return _printed(lines, column)


def has_memory(names: Iterable[str], column: str = "") -> bool:
    """Whether one of the names is that of a column with the memory of a process, or ``column``."""
    return any(
        column_of(0, name).role == "rss" or (column and name.lower() == column.lower()) for name in names
    )


# ------------------------------------------------------------------ separated


def _delimiter(lines: Sequence[tuple[int, str]], column: str) -> str | None:
    """Return what separates the columns; None for blanks. A single column counts as separated by commas."""
    for _, line in lines[:1]:
        if line.lower().startswith("sep=") and len(line.strip()) == 5:
            return line.strip()[4]
    for _, line in lines[:_LOOKED_AT]:
        bare = line.lstrip("#").strip()
        best = max(_DELIMITERS, key=lambda mark: len(_split(bare, mark)))
        if len(_split(bare, best)) > 1 and has_memory(_split(bare, best), column):
            return best
        if len(bare.split()) == 1 and has_memory([bare], column):
            return ","
        if has_memory(_names(bare), column):
            return None
    first = next((line for _, line in lines if not line.startswith("#")), "")
    best = max(_DELIMITERS, key=first.count)
    return best if best in first else None


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), list[str]())


def _delimited(lines: Sequence[tuple[int, str]], delimiter: str, column: str) -> Table:
    table: Table | None = None
    first: list[str] = []
    bare = (line.lstrip("# ") if line.lstrip().startswith("#") else line for _, line in lines)
    split = csv.reader(bare, delimiter=delimiter, skipinitialspace=True)
    for (number, line), cells in zip(lines, split, strict=False):
        comment = line.lstrip().startswith("#")
        row = [cell.strip() for cell in cells]
        if (not any(cell.strip("-: ") for cell in row) and delimiter == "|") or line.lower().startswith(
            "sep="
        ):
            continue
        if table is not None:
            if not comment and row != table.header:
                table.add(row, number)
        elif has_memory(row, column):
            table = Table(row, comma_decimal=delimiter != ",")
        first = first or ([] if comment else row)
    return table or Table(first)


# ------------------------------------------------------------------ printed


def _names(line: str) -> list[str]:
    """Return the names in a line of names separated by blanks; a time in the first place is a column of times."""
    line = _HALF_DAY.sub(r"\1", line.lstrip("#").strip())
    for pattern, instead in _IN_ONE:
        line = pattern.sub(instead, line)
    names = line.split()
    return ["Time", *names[1:]] if names and is_time(names[0]) else names


@dataclass(frozen=True, slots=True)
class _Header:
    """A line of names, and what it says of the rows below."""

    names: list[str]
    is_timed: bool
    has_date: bool
    starts: str

    @classmethod
    def of(cls, names: list[str]) -> _Header:
        roles = [column_of(0, name).role for name in names]
        return cls(names, "time" in roles, "date" in {name.lower() for name in names}, roles[0])


def _printed(lines: Sequence[tuple[int, str]], column: str) -> Table:
    table: Table | None = None
    header = _Header([], is_timed=False, has_date=False, starts="")
    again = ""  # the line of names seen last: snapshots repeat it
    now = ""
    for at, (number, line) in enumerate(lines):
        if line == again:
            continue
        if clock := _clock(line):
            now = clock
        elif not _DIGITS_INSIDE.search(line) and has_memory(names := _names(line), column):
            again = line
            timed = column_of(0, names[0]).role != "time" and (
                now or _starts_with_time(lines[at + 1 : at + 2])
            )
            header = _Header.of(["Time", *names] if timed else names)
            if table is None:
                table = Table(header.names, comma_decimal=True, kilobytes=_prints_kilobytes(names))
        elif table is not None and not line.startswith(("Average", "#")):
            row = _row(line, header, now)
            if row:
                _take(table, header.names, row, number)
    return table or Table(_names(lines[0][1]) if lines else [])


def _clock(line: str) -> str:
    """Return the time of a line that has nothing else, as ``date`` prints it, or of the first line of ``top``."""
    if len(line) > _LONGEST_CLOCK and not line.startswith("top"):
        return ""
    if found := _TOP.match(line):
        return found[1]
    text = _DATE.sub(r"\4-\1-\2T\3", line.strip())
    if text != line.strip():
        return _with_number_of_month(text)
    return text.replace(" ", "T", 1) if is_time(text) else ""


def _with_number_of_month(text: str) -> str:
    year, month, rest = text.split("-", 2)
    day, _, time = rest.partition("T")
    return f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{time}"


def _starts_with_time(lines: Sequence[tuple[int, str]]) -> bool:
    return any(is_time(line.split()[0]) for _, line in lines)


def _take(table: Table, header: Sequence[str], row: Sequence[str], number: int) -> None:
    """Keep a row of the present header in the order of the first one."""
    if list(header) == table.header:
        table.add(row, number)
    elif set(table.header) <= set(header):
        table.add([row[header.index(name)] for name in table.header], number)
    elif len(table.header) == len(header) - 1 and "Time" in header:  # a clock that only some snapshots have
        table.add(row[1:], number)


def _row(line: str, header: _Header, now: str) -> list[str]:
    """Return the line as a row of cells, empty if it is none; what a command has after its name stays out."""
    if header.is_timed:
        line = _DATE.sub(lambda found: _with_number_of_month(_DATE.sub(r"\4-\1-\2T\3", found[0])), line)
        line = _HALF_DAY.sub(r"\1\2", line)
        line = line if header.has_date else _DAY_AND_TIME.sub(r"\1T\2", line)
    cells = (_SLASH.sub("/", line) if " / " in line else line).split()
    if now and not is_time(cells[0]):
        cells = [now, *cells]
    return cells if len(cells) >= len(header.names) or _is_cut(cells, header) else []


def _is_cut(cells: Sequence[str], header: _Header) -> bool:
    """Whether too short a line is a row that was cut off, not a remark: it starts as rows start."""
    return is_time(cells[0]) or (header.starts in ("time", "owner") and cells[0].isdigit())


def _prints_kilobytes(names: Sequence[str]) -> bool:
    """Whether this is the table of ps, top or pidstat, whose sizes are in KB."""
    known = {name.upper() for name in names}
    return bool(known & {"RSS", "RES", "VSZ"}) and bool(
        known & {"PID", "VSZ", "UID", "COMMAND", "CMD", "RSS"}
    )

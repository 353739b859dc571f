"""Rows into a file, piece by piece: CSV, JSON lines, Parquet.

Parquet is written by pyarrow (extra ``export``), not by polars: its writer takes one piece after the other and ends
each as a row group, numpy's arrays and codes go in as they are, and the facts of the run go into the file's own
metadata. polars would want all rows at once, or a plan of a query around our reader.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO, Protocol

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.experiments.exporting.sample_chunks import Names, Numbers
from orchestrator.notebook.frames import Column, Kind

HOW_TO_GET = "pip install 'orchestrator[export]'"
SUFFIXES = (".parquet", ".csv", ".jsonl", ".ndjson")
"""What the name of a file may end with: that tells its form."""

_LINES_AT_ONCE = 10_000
Piece = Mapping[str, Numbers | Names | Column]


class Writer(Protocol):
    """Takes pieces of rows, all with the same columns, and ends the file."""

    def write(self, piece: Piece) -> None:
        """Add the rows of a piece."""
        ...

    def end(self) -> None:
        """Write what is still to be written; the file stays open."""
        ...

    def drop(self) -> None:
        """Let go of a file that will not be kept; writes nothing more. After an end it does nothing."""
        ...


def writer(
    suffix: str, file: BinaryIO, kinds: Mapping[str, Kind], facts: Mapping[str, str], *, coded: bool
) -> Writer:
    """Return what writes into ``file``.

    Args:
        suffix: One of ``SUFFIXES``.
        file: Open for writing.
        kinds: Every column in its order.
        facts: What is known of the run; only Parquet has a place for it.
        coded: Whether columns of texts come as :class:`.Names`.

    Raises:
        ResultsError: The package that writes Parquet is not installed.
    """
    if suffix == ".parquet":
        return _ParquetWriter(file, kinds, facts, coded=coded)
    return _CsvWriter(file, kinds) if suffix == ".csv" else _JsonWriter(file, kinds)


def parquet_package() -> tuple[Any, Any]:
    """Return pyarrow and its Parquet.

    Raises:
        ResultsError: It is not installed; says how to install it, and what needs nothing.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - 176 MB, and only this needs it
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise ResultsError(
            f"writing Parquet needs pyarrow ({error}): {HOW_TO_GET}; .csv and .jsonl need nothing"
        ) from error
    return pa, pq


class _CsvWriter:
    """Texts as they are, an empty field for what is not known."""

    def __init__(self, file: BinaryIO, kinds: Mapping[str, Kind]) -> None:
        self._file = file
        self._line(list(kinds))

    def write(self, piece: Piece) -> None:
        rows = zip(*map(_values, piece.values()), strict=True)
        while some := list(islice(rows, _LINES_AT_ONCE)):
            self._line(*some)

    def end(self) -> None:
        pass

    def drop(self) -> None:
        pass

    def _line(self, *rows: Sequence[Any]) -> None:
        lines = _Lines()
        csv.writer(lines, lineterminator="\r\n").writerows(rows)
        self._file.write("".join(lines.ended).encode())


class _Lines:
    """Ends each line with a line feed only. csv quotes the characters that it ends lines with, and no others."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def write(self, line: str) -> None:
        self.ended.append(line.removesuffix("\r\n") + "\n")


class _JsonWriter:
    """One object a line; null for what is not known."""

    def __init__(self, file: BinaryIO, kinds: Mapping[str, Kind]) -> None:
        self._file = file
        self._names = list(kinds)

    def write(self, piece: Piece) -> None:
        rows = zip(*map(_values, piece.values()), strict=True)
        while some := list(islice(rows, _LINES_AT_ONCE)):
            lines = [dict(zip(self._names, row, strict=True)) for row in some]
            self._file.write(msgspec.json.Encoder().encode_lines(lines))

    def end(self) -> None:
        pass

    def drop(self) -> None:
        pass


class _Sink(io.RawIOBase):
    """Hands on to a file what pyarrow writes, until it is dropped."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.dropped = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if not self.dropped:
            self._file.write(data)
        return len(data)


class _ParquetWriter:
    """A row group a piece; texts of samples are dictionaries, so that a name stands once a group."""

    def __init__(
        self, file: BinaryIO, kinds: Mapping[str, Kind], facts: Mapping[str, str], *, coded: bool
    ) -> None:
        self._pa, parquet = parquet_package()
        pa = self._pa
        text = pa.dictionary(pa.int32(), pa.string()) if coded else pa.string()
        types = {"float": pa.float64(), "int": pa.int64(), "text": text, "bool": pa.bool_()}
        self._schema = pa.schema(
            [(name, types[kind]) for name, kind in kinds.items()],
            metadata={f"orchestrator.{name}": value for name, value in facts.items()},
        )
        self._sink = _Sink(file)
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")

    def write(self, piece: Piece) -> None:
        arrays = [
            self._array(column, field.type)
            for column, field in zip(piece.values(), self._schema, strict=True)
        ]
        table = self._pa.Table.from_arrays(arrays, schema=self._schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def end(self) -> None:
        self._writer.close()

    def drop(self) -> None:
        self._sink.dropped = True  # closing writes the end of the file, which may be what has just failed
        self._writer.close()

    def _array(self, column: Numbers | Names | Column, kind: Any) -> Any:
        pa = self._pa
        if isinstance(column, Numbers):
            return pa.array(column.values, kind, mask=column.unknown)
        if isinstance(column, Names):
            codes = pa.array(column.codes, pa.int32(), mask=column.codes < 0)
            return pa.DictionaryArray.from_arrays(codes, pa.array(list(column.names), pa.string()))
        return pa.array(column.values, kind)


def _values(column: Numbers | Names | Column) -> Sequence[Any]:
    """Return a column as plain values, None for what is not known."""
    if isinstance(column, Column):
        return column.values
    if isinstance(column, Names):
        names = [*column.names, None]  # the code -1 is the last
        return [names[code] for code in column.codes.tolist()]
    values: list[Any] = column.values.tolist()
    if column.unknown is not None:
        for at in column.unknown.nonzero()[0].tolist():
            values[at] = None
    return values

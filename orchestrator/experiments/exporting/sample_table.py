"""The time series of a run as a frame. It is read anew each time; names become categories."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import ResultsError
from orchestrator.experiments.exporting.sample_chunks import (
    SAMPLE_KINDS,
    Chunk,
    Names,
    Numbers,
    SampleSource,
)
from orchestrator.files.untrusted import content_of
from orchestrator.notebook.fragment import fragment, paragraph
from orchestrator.notebook.frames import package

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import polars as pl


class SampleTable:
    """The readings of memory every 20 ms or so, with what was going on: one row a reading.

    The frames stand in memory as a whole, about 100 bytes a row. Of a recording of days
    ``orchestrator export --to samples.parquet`` makes a file piece by piece.
    """

    def __init__(self, folder: Path, roles: Mapping[str, Sequence[str]]) -> None:
        self._folder = folder
        self._roles = roles

    def open(self) -> SampleSource:
        """Return the samples as they are now, to be read piece by piece.

        Raises:
            ResultsError: There are none, or they cannot be read.
        """
        return SampleSource(self._folder, self._roles)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(SAMPLE_KINDS)

    def __len__(self) -> int:
        return len(self.open())

    def __bool__(self) -> bool:
        return True  # an object that is there, also where it has no row yet

    def __repr__(self) -> str:
        return f"<{_said(self.open())}: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        return fragment(
            paragraph(_said(self.open()), "said"), paragraph(f"Columns: {', '.join(self.columns)}", "note")
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return all samples as a ``pandas.DataFrame``: bytes, seconds from the start of the run, categories of names.

        Raises:
            ModuleNotFoundError: pandas is not installed; says how to install it.
            ResultsError: There are none, they cannot be read, or are too large for memory.
        """
        pandas = package("pandas", "samples.to_pandas")
        with self._in_memory():
            columns: dict[str, Any] = {}
            for name, column in self._whole().items():
                if isinstance(column, Names):
                    columns[name] = pandas.Categorical.from_codes(column.codes, categories=list(column.names))
                elif column.unknown is None:
                    columns[name] = column.values
                else:
                    columns[name] = pandas.arrays.IntegerArray(column.values, column.unknown)
            frame: pd.DataFrame = pandas.DataFrame(columns)
            return frame

    def to_polars(self) -> pl.DataFrame:
        """Return all samples as a ``polars.DataFrame``: bytes, seconds from the start of the run, enums of names.

        Raises:
            ModuleNotFoundError: polars is not installed; says how to install it.
            ResultsError: There are none, they cannot be read, or are too large for memory.
        """
        polars = package("polars", "samples.to_polars")
        with self._in_memory():
            columns: list[Any] = []
            for name, column in self._whole().items():
                if isinstance(column, Names):
                    enum = polars.Series(name, list(column.names), dtype=polars.Enum(list(column.names)))
                    codes = polars.Series(column.codes).set(polars.Series(column.codes < 0), None)
                    columns.append(enum.gather(codes))
                else:
                    series = polars.Series(name, column.values)
                    unknown = column.unknown
                    columns.append(series if unknown is None else series.set(polars.Series(unknown), None))
            frame: pl.DataFrame = polars.DataFrame(columns)
            return frame

    @contextmanager
    def _in_memory(self) -> Generator[None]:
        with content_of(self._folder):
            try:
                yield
            except MemoryError as error:
                raise ResultsError(
                    f"{self._folder}: its samples are too large for memory; orchestrator export "
                    f"{shlex.quote(str(self._folder))} --to samples.parquet writes them piece by piece"
                ) from error

    def _whole(self) -> Chunk:
        """Return all samples as one piece."""
        source = self.open()
        whole = next(source.chunks(max(1, len(source))), None)
        return whole if whole is not None else _none()


def _none() -> Chunk:
    empty = np.empty(0, dtype=np.int64)
    return {
        name: Names(empty.astype(np.int32), ())
        if kind == "text"
        else Numbers(empty.astype(np.float64) if kind == "float" else empty)
        for name, kind in SAMPLE_KINDS.items()
    }


def _said(source: SampleSource) -> str:
    until = "" if source.last_s is None else f" until {source.last_s:.1f} s"
    return f"{len(source)} sample{'' if len(source) == 1 else 's'} of memory{until}"

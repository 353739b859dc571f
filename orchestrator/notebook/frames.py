"""Columns become a frame of pandas or of polars. Neither is required: each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Kind = Literal["float", "int", "text", "bool"]
"""What a column holds; each may have gaps."""

_PANDAS: Mapping[Kind, str] = {"float": "float64", "int": "Int64", "text": "string", "bool": "boolean"}
_POLARS: Mapping[Kind, str] = {"float": "Float64", "int": "Int64", "text": "String", "bool": "Boolean"}


class Column(NamedTuple):
    """One column: what it holds, and its values, None where one is not known."""

    kind: Kind
    values: Sequence[Any]


def pandas_frame(columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return the columns as pandas has them; gaps are NaN, or NA where the kind is no float.

    Raises:
        ModuleNotFoundError: pandas is not installed; says how to install it.
    """
    pandas = package("pandas", "to_pandas")
    series = {
        name: pandas.Series(list(column.values), dtype=_PANDAS[column.kind])
        for name, column in columns.items()
    }
    frame: pd.DataFrame = pandas.DataFrame(series)
    return frame


def polars_frame(columns: Mapping[str, Column]) -> pl.DataFrame:
    """Return the columns as polars has them; gaps are null.

    Raises:
        ModuleNotFoundError: polars is not installed; says how to install it.
    """
    polars = package("polars", "to_polars")
    series = [
        polars.Series(name, list(column.values), dtype=getattr(polars, _POLARS[column.kind]))
        for name, column in columns.items()
    ]
    frame: pl.DataFrame = polars.DataFrame(series)
    return frame


def package(name: str, asked_for: str) -> Any:
    """Return the package ``name``, which the method ``asked_for`` needs.

    Raises:
        ModuleNotFoundError: It is not installed; says how to install it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise  # it is there, and something that it needs is not
        raise ModuleNotFoundError(
            f"{asked_for}() needs {name}, which is not installed: pip install {name}", name=name
        ) from None

"""What every object has that a notebook shows: HTML of its own, and its rows as a frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.notebook.frames import Column, pandas_frame, polars_frame

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Shown:
    """Gives its class ``to_pandas`` and ``to_polars``, and the HTML that notebooks ask objects for.

    The class has ``_columns`` and ``_html``.
    """

    __slots__ = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a ``pandas.DataFrame``; units are in the names of the columns.

        What is not known is NaN in columns of floats and NA in others.

        Raises:
            ModuleNotFoundError: pandas is not installed; says how to install it.
        """
        return pandas_frame(self._columns())

    def to_polars(self) -> pl.DataFrame:
        """Return the rows as a ``polars.DataFrame``; units are in the names of the columns.

        What is not known is null.

        Raises:
            ModuleNotFoundError: polars is not installed; says how to install it.
        """
        return polars_frame(self._columns())

    def _repr_html_(self) -> str:
        return self._html()

    @abstractmethod
    def _columns(self) -> Mapping[str, Column]: ...

    @abstractmethod
    def _html(self) -> str: ...

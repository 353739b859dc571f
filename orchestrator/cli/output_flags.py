"""Flags that name a file to write, checked before any work goes into what is written there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from orchestrator.files.output_place import Form


def check_flag(flag: str, path: Path, form: Form, *, runs: Iterable[Path]) -> None:
    """Refuse a file that may not be written; ``runs`` are the run folders, results folders and files of the command.

    Raises:
        typer.BadParameter: Says why.
    """
    from orchestrator.errors import ResultsError
    from orchestrator.experiments.storage.output_files import check_output

    try:
        check_output(path, form, runs=runs)
    except ResultsError as error:
        raise typer.BadParameter(f"{flag}: {error}") from error

"""``orchestrator init``: a folder to start from, for people who installed a wheel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.config.template import NewFolder


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="An empty folder; made if need be.")
    ] = Path(),
    *,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also in a folder that is not empty; nothing there is overwritten."),
    ] = False,
) -> None:
    """Write experiments.toml and samples into an empty folder."""
    from orchestrator.config.template import start_folder

    report(directory, start_folder(directory, force=force))


def report(directory: Path, started: NewFolder) -> None:
    """Print what was written on stdout, what was kept and what comes next on stderr."""
    for name in started.written:
        print(directory / name)
    for name in started.kept:
        print(f"kept as it is: {directory / name}", file=sys.stderr)
    print(f"next: orchestrator run {directory / 'experiments.toml'}", file=sys.stderr)

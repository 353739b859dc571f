"""``orchestrator doctor``: what is there, what is missing, and what mends it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.exit_codes import ExitCode


def doctor(
    file: Annotated[
        Path | None, typer.Argument(help="The experiments file; default: experiments.toml, if there is one.")
    ] = None,
    *,
    profile: Annotated[
        str, typer.Option(help="The profile that has to be ready; auto: the one a run would take.")
    ] = "auto",
    results: Annotated[
        Path | None, typer.Option(help="Results folder; default: results beside the file.")
    ] = None,
    hash_files: Annotated[
        bool, typer.Option("--hash", help="Hash the models (reads them whole, once; then it is remembered).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show what is there and what is missing for each profile; exit 1 if the one asked for is not ready."""
    from orchestrator.cli.terminal.doctor_display import show
    from orchestrator.doctor import examine
    from orchestrator.process.host.cores import usable_cores

    examination = examine(
        file,
        profile=profile,
        results=results,
        hash_files=hash_files,
        environ=os.environ,
        cores=usable_cores(),
    )
    if as_json:
        from orchestrator.cli.terminal.screen import Screen
        from orchestrator.files.writing import to_readable_json

        Screen(sys.stdout).write_json(to_readable_json(examination))
    else:
        show(examination, sys.stdout)
    raise typer.Exit(ExitCode.DONE if examination.ready else ExitCode.BROKEN)

"""``orchestrator export``: what a run has recorded, as one file for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    results: Annotated[
        Path,
        typer.Argument(help="A results folder (its newest run), a run's folder, or a result file."),
    ] = Path("results"),
    *,
    to: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="The file; its ending tells the form: .parquet (extra export), .csv, .jsonl or .ndjson.",
        ),
    ],
    what: Annotated[
        Literal["samples", "iterations", "readings", "verdicts"],
        typer.Option(
            help="samples: memory every 20 ms or so; iterations: a row an iteration and method; readings: every "
            "boundary of every step; verdicts: a row a method."
        ),
    ] = "samples",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write what a run has recorded as Parquet, CSV or JSON lines: samples, iterations, readings or verdicts.

    Units are in the names of the columns. The file is there as a whole or not at all. Of a run under way it has what
    there is, and a line says so.
    """
    from orchestrator.experiments.exporting.export import export_results
    from orchestrator.experiments.exporting.recorded import Results

    written = export_results(Results(results), to, what=what, force=force)
    print(written.path)
    for note in written.notes:
        print(f"note: {note}", file=sys.stderr)

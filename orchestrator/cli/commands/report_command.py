"""``orchestrator report``: one self-contained page about a run, and its figure and summary on request."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[
        Path, typer.Argument(help="A run's folder, or a results folder: then its newest run.")
    ] = Path("results"),
    out: Annotated[
        Path | None, typer.Option(help="Path of the page; default: report.html in the run.")
    ] = None,
    png: Annotated[
        bool, typer.Option("--png", help="Also the main figure as PNG, beside the page (extra report).")
    ] = False,
    svg: Annotated[bool, typer.Option("--svg", help="Also the main figure as SVG (extra report).")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Also a short summary for a pull request, as Markdown.")
    ] = False,
) -> None:
    """Write a page about RUN that works offline: verdicts, charts, tables, provenance."""
    from orchestrator.experiments.reporting.run_report import build_report, find_run

    written = build_report(find_run(run), out=out, png=png, svg=svg, markdown=markdown)
    for path in written.all:
        print(path)
    for sentence in filter(None, (written.left_out, *written.calibration)):
        print(sentence, file=sys.stderr)

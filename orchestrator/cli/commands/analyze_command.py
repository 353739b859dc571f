"""``orchestrator analyze``: a verdict on any memory series in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from orchestrator.report.layout import Line
    from orchestrator.series_files.discovery import Trouble
    from orchestrator.series_files.finding import Channels, Finding
    from orchestrator.series_files.table_cells import Asked


def analyze(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files with memory readings (CSV, JSON, what mprof, psrecord, pidstat, ps, docker stats, kubectl top "
            "or Prometheus wrote), folders of them, folders of runs, recordings."
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per series, one per line.")
    ] = False,
    channels: Annotated[
        Literal["rss", "rss,heap"],
        typer.Option(help="rss: only what is read from outside (RSS, RssAnon); rss,heap: all the file has."),
    ] = "rss,heap",
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            help="Accepted growth in MB: per hour where the file tells times, else per iteration. "
            "Default: 0.1, or 0.1 % of RSS per hour, 0.01 % per iteration.",
        ),
    ] = None,
    unit: Annotated[
        Literal["B", "KB", "MB", "GB"] | None,
        typer.Option(help="Unit of the memory columns, where the file does not tell it. KB is 1024 bytes."),
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="The column to judge, where its name does not say that it is memory.")
    ] = None,
) -> None:
    """Judge memory series: leak, plateau, flat, bounded, slow-growth or inconclusive, with rate and interval.

    The exit code is 2 if a path could not be read or nothing could be judged; the other files are judged all the same.
    """
    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.files.writing import to_json
    from orchestrator.report.layout import BLANK
    from orchestrator.series_files.discovery import Trouble
    from orchestrator.series_files.table_cells import Asked

    out = Screen(sys.stdout)
    bad = judged = 0
    for found in _judged(paths, Asked(unit or "", column or ""), channels, tolerance):
        if isinstance(found, Trouble):
            bad += found.bad
            print(f"orchestrator: {found.message}", file=sys.stderr)
            continue
        finding, lines = found
        if as_json:
            out.write_json(to_json(finding))
        else:
            out.write([*([BLANK] if judged else []), *lines])
        judged += 1
    if not (bad or judged):
        print("orchestrator: no series in what was named", file=sys.stderr)
    if bad or not judged:
        raise typer.Exit(ExitCode.USAGE)


def _judged(
    paths: list[Path], asked: Asked, channels: Channels, tolerance: float | None
) -> Iterator[tuple[Finding, list[Line]] | Trouble]:
    """Yield the finding of each series with its lines, and what cannot be read or judged."""
    from orchestrator.errors import ResultsError
    from orchestrator.files.untrusted import content_of
    from orchestrator.series_files.discovery import Trouble, find_series
    from orchestrator.series_files.finding import judge_measured
    from orchestrator.series_files.words import finding_lines

    for found in find_series(paths, asked):
        if isinstance(found, Trouble):
            yield found
            continue
        try:
            with content_of(found.file):
                finding = judge_measured(found, channels, tolerance)
                lines = finding_lines(finding)
        except ResultsError as error:
            yield Trouble(str(error))
        else:
            yield finding, lines

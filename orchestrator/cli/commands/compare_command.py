"""``orchestrator compare``: the numbers of two runs, with the interval of each difference."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.experiments.comparing.comparison import Compared, Comparison
    from orchestrator.report.layout import Line

_RUN_HELP = "A run's folder, a results folder (its newest run), or a result file."


def compare(
    run_a: Annotated[Path, typer.Argument(help=f"The first: {_RUN_HELP}")],
    run_b: Annotated[Path, typer.Argument(help=f"The second: {_RUN_HELP}")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare two runs: growth, TTFT, speed, WER and load of each method, differences with 95 % intervals.

    Runs with different models or tasks are refused (exit 2); a different host or setting gives a warning.
    """
    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.experiments.comparing.comparison import compare_runs
    from orchestrator.experiments.results.run_results import load_run
    from orchestrator.files.writing import to_json

    compared = compare_runs(load_run(run_a), load_run(run_b))
    screen = Screen(sys.stdout)
    if as_json:
        screen.write_json(to_json(compared))
        return
    for warning in compared.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    screen.write(_lines(compared, screen.width))


def _lines(compared: Comparison, width: int | None) -> list[Line]:
    from orchestrator.report.layout import BLANK, Line, Row, table

    lines: list[Line] = []
    for experiment, series, before, now in compared.verdicts:
        own = [row for row in compared.rows if (row.experiment, row.series) == (experiment, series)]
        rows = [Row(f"{row.metric} ({row.unit})", _cells(row)) for row in own]
        lines += [BLANK] if lines else []
        lines.append(Line(f"{experiment}  {series}: {before} before, {now} now", "title"))
        lines += table("Metric", ("first", "second", "difference", "95 %", "is"), rows, width) if rows else []
    counts = {word: sum(row.change == word for row in compared.rows) for word in ("worse", "better")}
    return [
        *lines,
        BLANK,
        Line(f"{counts['worse']} worse, {counts['better']} better of {len(compared.rows)}"),
    ]


def _cells(row: Compared) -> tuple[str, ...]:
    from orchestrator.report.cells import UNKNOWN, number

    digits = 3 if row.unit in ("MB/iteration", "s") else 2
    interval = (
        UNKNOWN
        if row.low is None or row.high is None
        else f"{number(row.low, digits)} … {number(row.high, digits)}"
    )
    values = (number(value, digits) for value in (row.first, row.second, row.difference))
    return (*values, interval, row.change)

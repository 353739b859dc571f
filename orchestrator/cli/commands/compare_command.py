"""``orchestrator compare``: the numbers of two sides of runs, with the interval of each difference."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.experiments.comparing.comparison import Compared, Comparison
    from orchestrator.experiments.reporting.comparison_content import NamedRun
    from orchestrator.report.layout import Line

_RUN_HELP = "a run's folder, a results folder (its newest run), or a result file"
_AGAINST = "--against"


class _TakesSides(TyperCommand):
    """Lets ``--against`` take all paths behind it: ``compare A1 A2 A3 --against B1 B2 B3``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its paths, as the parser wants it."""
        return super().parse_args(ctx, _repeated(args))


COMMAND = _TakesSides


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN", help=f"The first and the second run, or all of the first side: each {_RUN_HELP}."
        ),
    ],
    against: Annotated[
        list[Path] | None,
        typer.Option(
            _AGAINST,
            metavar="RUN_B...",
            help="The runs of the second side, all paths behind it; those before it are the first side.",
        ),
    ] = None,
    all_runs: Annotated[
        bool,
        typer.Option("--all-runs", help="Of a results folder take all finished runs, not the newest alone."),
    ] = False,
    smallest: Annotated[
        float,
        typer.Option(min=0.0, help="Smallest difference of TTFT, speed and load that counts, in per cent."),
    ] = 3.0,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Also write a page of both sides, FILE.html."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare runs: growth, TTFT, speed, WER and load of each method, differences with 95 % intervals.

    Name two runs, or several of each side: compare A1 A2 A3 --against B1 B2 B3. Only several runs a side, recorded in
    turn, tell a slower release from chance. Runs with different models or tasks are refused (exit 2); a different host
    or setting gives a warning. --report writes the same as a page with charts, which works offline.
    """
    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.experiments.comparing.comparison import compare_runs
    from orchestrator.experiments.results.run_results import load_runs
    from orchestrator.files.untrusted import content_of
    from orchestrator.files.writing import to_json

    first, second = _sides(runs, against)
    _check_page(report, (*first, *second))
    with content_of(" and ".join(map(str, (*first, *second)))):
        loaded = [
            [(str(path), run) for path in side for run in load_runs(path, every=all_runs)]
            for side in (first, second)
        ]
        one, other = ([run for _, run in side] for side in loaded)
        compared = compare_runs(one, other, smallest_share=smallest / 100)
        if report is not None:
            _write_page(report, loaded, compared)
    screen = Screen(sys.stdout)
    if as_json:
        screen.write_json(to_json(compared))
    else:
        _print(compared, screen)
    if report is not None:
        print(f"report: {report}", file=sys.stderr)


def _check_page(page: Path | None, runs: Sequence[Path]) -> None:
    """Refuse, before anything is read, a page that has no place or would take that of a run."""
    if page is not None:
        from orchestrator.cli.output_flags import check_flag
        from orchestrator.files.output_place import PAGE

        check_flag("--report", page, PAGE, runs=runs)


def _write_page(page: Path, sides: Sequence[Sequence[NamedRun]], compared: Comparison) -> None:
    from orchestrator.experiments.reporting.comparison_report import write_comparison

    write_comparison(page, sides[0], sides[1], compared)


def _print(compared: Comparison, screen: Screen) -> None:
    for warning in compared.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for note in compared.notes:
        print(f"note: {note}", file=sys.stderr)
    screen.write(_lines(compared, screen.width))


def _sides(runs: list[Path], against: list[Path] | None) -> tuple[list[Path], list[Path]]:
    if against:
        return runs, against
    if len(runs) != 2:
        raise typer.BadParameter(
            f"{len(runs)} runs are named; name two, or the runs of the second side behind {_AGAINST}: "
            f"compare A1 A2 A3 {_AGAINST} B1 B2 B3"
        )
    return runs[:1], runs[1:]


def _repeated(args: list[str]) -> list[str]:
    """Return the arguments with ``--against`` before each of the paths that follow it, up to the next option."""
    repeated: list[str] = []
    within = False
    for argument in args:
        if argument == _AGAINST:
            within = True
        elif within and not argument.startswith("-"):
            repeated += [_AGAINST, argument]
        else:
            within = False
            repeated.append(argument)
    return repeated


def _lines(compared: Comparison, width: int | None) -> list[Line]:
    from orchestrator.report.cells import counted_verdicts
    from orchestrator.report.layout import BLANK, Line, Row, table

    lines: list[Line] = []
    for experiment, series, before, now in compared.verdicts:
        own = [row for row in compared.rows if (row.experiment, row.series) == (experiment, series)]
        rows = [Row(f"{row.metric} ({row.unit})", _cells(row)) for row in own]
        lines += [BLANK] if lines else []
        lines.append(
            Line(
                f"{experiment}  {series}: {counted_verdicts(before)} before, {counted_verdicts(now)} now",
                "title",
            )
        )
        lines += (
            table("Metric", ("first", "second", "difference", "95 % together", "is"), rows, width)
            if rows
            else []
        )
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

"""``orchestrator plan``: when to recycle, from what a run measured. The table goes to stdout, the words to stderr."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def plan(
    run: Annotated[
        Path,
        typer.Argument(help="A run's folder, a results folder (its newest run), or a result file."),
    ] = Path("results"),
    budget: Annotated[
        str | None,
        typer.Option(
            help="Memory for all workers, such as 4GiB; default: what was free when the run began, less a reserve; "
            "on another machine what is free now."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of workers; default: the one that does most jobs within budget and cores."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compute from RUN when a pool should recycle its workers; print a [recycle] table to paste.

    It uses the upper end of the interval of the growth. The table is printed on stdout, the reasons on stderr.
    """
    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.config.sizes import parse_size
    from orchestrator.experiments.planning.recycle_plan import plan_run
    from orchestrator.experiments.results.run_results import recorded_budget
    from orchestrator.experiments.storage.host import host_facts
    from orchestrator.files.writing import to_json
    from orchestrator.report.layout import BLANK
    from orchestrator.report.plan_lines import plan_report

    try:
        budget_bytes = recorded_budget(run, host_facts()) if budget is None else parse_size(budget)
    except ValueError as error:
        raise typer.BadParameter(f"--budget: {error}") from None
    made = plan_run(run, budget_bytes=budget_bytes, workers=workers, model=model)
    out = Screen(sys.stdout)
    if as_json:
        out.write_json(to_json(made))
        return
    words = Screen(sys.stderr)
    words.write([*plan_report(made, words.width), BLANK])
    out.write_text(made.table().rstrip("\n"))

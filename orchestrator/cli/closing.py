"""The last screen of ``run``: collects what the run knows, and has the display write it.

What it says is made in :mod:`orchestrator.report.closing`; here are the commands, as they must be typed in the
folder in which ``run`` was.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.located_after import FRESH, LEAKING
from orchestrator.report.closing.last_screen import Closing
from orchestrator.report.closing.rows import ClosingRow
from orchestrator.report.closing.what_to_do import what_to_do

if TYPE_CHECKING:
    from orchestrator.analysis.planning.model_plan import RunPlan
    from orchestrator.cli.terminal.display import Display
    from orchestrator.config.types import Plan


def closing_of(
    plan: Plan, results: Path, display: Display, *, took: str, report: Path | None, located: bool = False
) -> Closing:
    """Return the last screen of the run that ``display`` has shown.

    Args:
        plan: What was run.
        results: Its results folder.
        display: Its display, with the rows of all experiments.
        took: How long it took, in words.
        report: Its page; None without one.
        located: Whether its leaks have been located already.
    """
    rows = display.rows
    found = recycling(results) if any(row.kind != "not run" for row in rows) else None
    to_do = what_to_do(
        rows,
        found,
        table=command("plan", shown(results)),
        locate="" if located else locate_command(plan, results, rows),
        more=more_command(plan, results, rows),
        missing=[(f"{', '.join(names)}: {what}", cure) for (what, cure), names in display.missing.items()],
    )
    return Closing(
        rows=rows,
        took=took,
        to_do=to_do,
        engines=engines_line(plan, rows),
        report="" if report is None else shown(report),
    )


def recycling(results: Path) -> RunPlan | None:
    """Return the plan for pools that the page has and ``orchestrator plan`` makes; None where none can be made."""
    from orchestrator.errors import OrchestratorError
    from orchestrator.experiments.planning.recycle_plan import plan_run
    from orchestrator.experiments.results.run_results import recorded_budget

    try:
        return plan_run(results, budget_bytes=recorded_budget(results))
    except OrchestratorError:
        return None


def engines_line(plan: Plan, rows: Sequence[ClosingRow]) -> str:
    """Return the engines that ran and which profile bound them, with what another one lacks."""
    ran = {row.experiment for row in rows if row.kind != "not run"}
    engines = dict.fromkeys(
        step.model.engine for each in plan.experiments if each.name in ran for step in each.steps
    )
    reason = plan.profile_reason.removeprefix(f"{plan.profile}: ")
    doctor = ": orchestrator doctor" if " lacks " in reason else ""
    return f"{', '.join(engines) or 'none'} (profile {plan.profile}; {reason}{doctor})"


def locate_command(plan: Plan, results: Path, rows: Sequence[ClosingRow]) -> str:
    """Return the command that locates the first leak of the run; empty where nothing in one process leaks memory."""
    found = [row.judgement for row in rows if row.judgement and row.judgement.method not in FRESH]
    leak = next((judged for judged in found if judged.verdict == LEAKING), None)
    if leak is None:
        return ""
    return command(
        "locate", *where(plan, results), "--profile", plan.profile,
        "--only", leak.experiment, "--method", leak.series,
    )  # fmt: skip


def more_command(plan: Plan, results: Path, rows: Sequence[ClosingRow]) -> str:
    """Return the command that runs experiments again whose methods are undecided, twice as long; empty without any."""
    names = list(dict.fromkeys(row.experiment for row in rows if row.kind == "undecided"))
    planned = [each.iterations for each in plan.experiments if each.name in names]
    if not planned:
        return ""
    return command(
        "run", *where(plan, results), "--profile", plan.profile,
        "--only", ",".join(names), "--iterations", str(2 * max(planned)),
    )  # fmt: skip


def where(plan: Plan, results: Path) -> list[str]:
    """Return the file, and the results folder where it is not the usual one beside it."""
    usual = Path(plan.file).parent / "results"
    return [shown(Path(plan.file)), *([] if same(results, usual) else ["--results", shown(results)])]


def command(*words: str) -> str:
    """Return a command line of ours as a shell takes it."""
    return shlex.join(["orchestrator", *words])


def shown(path: Path) -> str:
    """Return a path as it is typed here: relative to the working directory for what lies in it."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute() would keep ".."
    here = Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def same(one: Path, other: Path) -> bool:
    """Whether two paths mean the same place, links aside."""
    return os.path.abspath(one) == os.path.abspath(other)  # noqa: PTH100

"""``orchestrator run``: the experiments of a file, from first check to last table."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from orchestrator.cli import run_options as flag
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interrupts import interruptible

if TYPE_CHECKING:
    from orchestrator.cli.gated import Gated
    from orchestrator.cli.terminal.display import Wanted
    from orchestrator.config.types import Plan


def run(  # noqa: PLR0917 - typer wants one parameter a flag
    file: flag.File = Path("experiments.toml"),
    profile: flag.Profile = "auto",
    only: flag.Only = None,
    methods: flag.Methods = None,
    iterations: flag.Iterations = None,
    threads: flag.Threads = None,
    context_length: flag.ContextLength = None,
    language: flag.Language = None,
    stop: flag.Stop = None,
    jobs_per_load: flag.JobsPerLoad = None,
    results: flag.Results = None,
    resume: flag.Resume = False,
    as_json: flag.AsJson = False,
    quiet: flag.Quiet = False,
    verbose: flag.Verbose = False,
    dry_run: flag.DryRun = False,
    report: flag.Report = True,
    gate: flag.Gate = None,
    junit: flag.Junit = None,
    annotations: flag.Annotations = None,
    locate: flag.Locate = False,
) -> None:
    """Run the experiments of FILE and print their tables."""
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose exclude each other")
    if junit is not None:
        from orchestrator.cli.output_flags import check_flag
        from orchestrator.files.output_place import JUNIT

        check_flag("--junit", junit, JUNIT, runs=[results or file.parent / "results"])

    def work() -> ExitCode:
        plan = _plan(
            file,
            profile=profile,
            only=_names(only),
            methods=_names(methods),
            iterations=iterations,
            threads=threads,
            context_length=context_length,
            language=language,
            stop=stop,
            jobs_per_load=_jobs_per_load(jobs_per_load),
        )
        folder = results if results is not None else Path(plan.file).parent / "results"
        if dry_run:
            from orchestrator.cli.terminal.dry_run import show_plan

            return ExitCode.DONE if show_plan(plan, folder) else ExitCode.NOTHING_RAN
        from orchestrator.cli.gated import Gated
        from orchestrator.cli.terminal.display import Wanted

        wanted, gated = Wanted(verbose, quiet, as_json), Gated(plan.gate, gate, junit)
        after = _After(gated=gated, report=report, locate=locate, annotations=annotations)
        return _run(plan, folder, wanted, after, resume=resume)

    raise typer.Exit(interruptible(work))


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _jobs_per_load(said: str | None) -> tuple[int, int] | None:
    """Read ``3`` or ``1-3``."""
    if said is None:
        return None
    first, _, last = said.partition("-")
    numbers = [int(text) if text.isascii() and text.isdigit() else 0 for text in (first, last or first)]
    if min(numbers) < 1 or numbers[0] > numbers[1]:
        raise typer.BadParameter(
            f"--jobs-per-load {said!r}: a number of jobs, or fewest and most, such as 1-3"
        )
    return numbers[0], numbers[1]


def _plan(file: Path, **flags: object) -> Plan:
    from orchestrator.config.load import load_file
    from orchestrator.config.overrides import Overrides
    from orchestrator.config.resolve import resolve
    from orchestrator.process.host.cores import physical_cores

    overrides = Overrides(**flags)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return resolve(load_file(file), file, overrides, os.environ, physical_cores())


@dataclass(frozen=True, slots=True, kw_only=True)
class _After:
    """What is done with a run that has ended."""

    gated: Gated
    report: bool
    locate: bool
    annotations: Literal["github"] | None


def _run(plan: Plan, folder: Path, wanted: Wanted, after: _After, *, resume: bool) -> ExitCode:
    from orchestrator.cli.ci import add_step_summary, annotate
    from orchestrator.cli.closing import closing_of
    from orchestrator.cli.located_after import locate_leaks
    from orchestrator.cli.terminal.display_choice import make_display
    from orchestrator.cli.terminal.progress import duration
    from orchestrator.experiments.running.runner import run_plan
    from orchestrator.experiments.storage.run_folder import ResultsFolder
    from orchestrator.process.host.interpreter import worker_python

    worker_python()  # without one no method could run: one sentence instead of one a method
    began = time.monotonic()
    with make_display(wanted) as display:
        outcome = run_plan(plan, ResultsFolder(folder), display, resume=resume)
        took = duration(time.monotonic() - began)
        page = _write_report(folder) if after.report and outcome != "nothing ran" else None
    if after.locate:
        locate_leaks(plan, folder, display.judgements, as_json=wanted.json)
    code = after.gated.check(display.judgements)
    closing = closing_of(plan, folder, display, took=took, report=page, located=after.locate)
    add_step_summary(closing, os.environ)
    if after.annotations is not None:
        gate, stream = after.gated.result(display.judgements), sys.stderr if wanted.json else sys.stdout
        annotate(closing.rows, plan.file, stream, os.environ, gate)
    display.close_with(closing)
    return ExitCode.NOTHING_RAN if outcome == "nothing ran" else code


def _write_report(folder: Path) -> Path | None:
    """Write the page of the run that has just ended. A page that cannot be made costs no run its exit code."""
    from orchestrator.errors import ResultsError
    from orchestrator.experiments.reporting.run_report import build_report, find_run

    try:
        paths = build_report(find_run(folder))
    except ResultsError as error:
        print(f"no report: {error}", file=sys.stderr)
        return None
    if paths.left_out:
        print(paths.left_out, file=sys.stderr)
    return paths.latest or paths.html

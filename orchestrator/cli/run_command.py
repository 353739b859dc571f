"""``orchestrator run``: the experiments of a file, from first check to last table."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interrupts import interruptible

if TYPE_CHECKING:
    from orchestrator.cli.display import Wanted
    from orchestrator.cli.gated import Gated
    from orchestrator.config.types import Plan


def run(  # noqa: PLR0917 - typer wants one parameter a flag
    file: Annotated[Path, typer.Argument(help="The experiments file.")] = Path("experiments.toml"),
    profile: Annotated[
        str, typer.Option(help="auto, qwen3, embedded, or another profile of the file.")
    ] = "auto",
    only: Annotated[str | None, typer.Option(help="Only these experiments: exp2,exp4.")] = None,
    methods: Annotated[
        str | None, typer.Option(help="Only these methods: recreate,restart,reuse,recycle.")
    ] = None,
    iterations: Annotated[int | None, typer.Option(min=1, help="Iterations of every method.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of every model (INFERENCE_THREADS).")
    ] = None,
    context_length: Annotated[
        int | None, typer.Option(min=1, help="Context of every model (CONTEXT_LENGTH).")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of speech recognition (ASR_LANGUAGE).")
    ] = None,
    stop: Annotated[
        Literal["settled", "never"] | None,
        typer.Option(help="settled: a method ends once its verdict is settled; never: all iterations."),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Results folder; default: results beside the file.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last run if it was cut off.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per experiment on stdout.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Tables only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every iteration, with its text.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done and how long it takes.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write the run's page, report.html.")
    ] = True,
    gate: Annotated[
        Literal["leak", "off"] | None,
        typer.Option(
            help="leak: exit 1 on a leak, 4 when it cannot be told; off: even if the file has a gate table."
        ),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the verdicts as JUnit XML to this file.")] = None,
) -> None:
    """Run the experiments of FILE and print their tables."""
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose exclude each other")
    if junit is not None and not junit.absolute().parent.is_dir():
        raise typer.BadParameter(f"--junit: there is no folder {junit.absolute().parent}")

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
        )
        folder = results if results is not None else Path(plan.file).parent / "results"
        if dry_run:
            _show_plan(plan, folder)
            return ExitCode.DONE
        from orchestrator.cli.display import Wanted
        from orchestrator.cli.gated import Gated

        wanted, gated = Wanted(verbose, quiet, as_json), Gated(plan.gate, gate, junit)
        return _run(plan, folder, wanted, gated, resume=resume, report=report)

    raise typer.Exit(interruptible(work))


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _plan(file: Path, **flags: object) -> Plan:
    from orchestrator.config.load import load_file
    from orchestrator.config.overrides import Overrides
    from orchestrator.config.resolve import resolve

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    overrides = Overrides(**flags)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return resolve(load_file(file), file, overrides, os.environ, cores)


def _run(plan: Plan, folder: Path, wanted: Wanted, gated: Gated, *, resume: bool, report: bool) -> ExitCode:
    from orchestrator.cli.display import make_display
    from orchestrator.experiments.run_folder import ResultsFolder
    from orchestrator.experiments.runner import run_plan

    with make_display(wanted) as display:
        outcome = run_plan(plan, ResultsFolder(folder), display, resume=resume)
        if report and outcome != "nothing ran":
            _write_report(folder)
    if outcome != "nothing ran" and not wanted.quiet:
        print(f"plan: orchestrator plan {shlex.quote(str(folder))}", file=sys.stderr)
    code = gated.check(display.judgements)
    return ExitCode.NOTHING_RAN if outcome == "nothing ran" else code


def _write_report(folder: Path) -> None:
    """Write the page of the run that has just ended. A page that cannot be made costs no run its exit code."""
    from orchestrator.errors import ResultsError
    from orchestrator.experiments.run_report import build_report, find_run

    try:
        paths = build_report(find_run(folder))
    except ResultsError as error:
        print(f"no report: {error}", file=sys.stderr)
    else:
        print(f"report: {paths.html}", file=sys.stderr)


def _show_plan(plan: Plan, folder: Path) -> None:
    from orchestrator.cli.pace import duration
    from orchestrator.cli.screen import Screen
    from orchestrator.experiments.estimate import estimate
    from orchestrator.experiments.run_folder import ResultsFolder
    from orchestrator.experiments.stopping import earliest_end, may_end_early
    from orchestrator.report.headers import experiment_header
    from orchestrator.report.layout import BLANK, Line

    estimates = estimate(plan, ResultsFolder(folder))
    screen = Screen(sys.stdout)
    screen.write([Line(f"Profile: {plan.profile_reason}"), Line(f"Results: {folder}")])
    for experiment in plan.experiments:
        screen.write([BLANK, *experiment_header(experiment, plan.profile, screen.width)])
        for series in experiment.series:
            expected = estimates[experiment.name, series.key]
            source = "as measured here before" if expected.measured else "a rough guess"
            time_s = duration(expected.seconds)
            soonest = earliest_end(experiment, series)
            up_to, early = ("up to ", f"; settled at the earliest after {soonest}") if soonest else ("", "")
            words = (
                f"  {series.key}: {up_to}{experiment.iterations} iterations, about {time_s} ({source}){early}"
            )
            screen.write([Line(words)])
    total = sum(one.seconds for one in estimates.values())
    at_most = ", less where a verdict is settled early" if may_end_early(plan) else ""
    screen.write([BLANK, Line(f"Altogether about {duration(total)}{at_most}. Nothing was run.")])

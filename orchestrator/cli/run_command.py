"""``orchestrator run``: the experiments of a file, from first check to last table."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from orchestrator.config.types import Plan

_OUTPUT_GONE = {
    errno.EPIPE: "nobody reads the output any more",
    errno.EIO: "the terminal has gone",
    errno.ENOSPC: "the output cannot be written, its disk is full",
}
"""What an OSError of a stream (one that names no file) says about it."""


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
) -> None:
    """Run the experiments of FILE and print their tables."""
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose exclude each other")
    plan = _plan(
        file,
        profile=profile,
        only=_names(only),
        methods=_names(methods),
        iterations=iterations,
        threads=threads,
        context_length=context_length,
        language=language,
    )
    folder = results if results is not None else Path(plan.file).parent / "results"
    if dry_run:
        _show_plan(plan, folder)
        return
    raise typer.Exit(_run(plan, folder, resume=resume, as_json=as_json, quiet=quiet, verbose=verbose))


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _plan(file: Path, **flags: object) -> Plan:
    from orchestrator.config.load import load_file
    from orchestrator.config.overrides import Overrides
    from orchestrator.config.resolve import resolve

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    overrides = Overrides(**flags)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return resolve(load_file(file), file, overrides, os.environ, cores)


def _run(plan: Plan, folder: Path, *, resume: bool, as_json: bool, quiet: bool, verbose: bool) -> ExitCode:
    from orchestrator.cli.display import Wanted, make_display
    from orchestrator.experiments.run_folder import ResultsFolder
    from orchestrator.experiments.runner import run_plan

    with _terminated_like_interrupted(), make_display(Wanted(verbose, quiet, as_json)) as display:
        try:
            outcome = run_plan(plan, ResultsFolder(folder), display, resume=resume)
        except KeyboardInterrupt:
            with _output_may_be_gone():
                display.close()
                print("interrupted; everything measured is on disk, --resume goes on", file=sys.stderr)
            return ExitCode.INTERRUPTED
        except OSError as error:
            if error.errno not in _OUTPUT_GONE or error.filename is not None:
                raise
            _let_go_of_stdout()
            with _output_may_be_gone():
                print(f"stopped: {_OUTPUT_GONE[error.errno]}; --resume goes on", file=sys.stderr)
            return ExitCode.INTERRUPTED
    return ExitCode.NOTHING_RAN if outcome == "nothing ran" else ExitCode.DONE


def _output_may_be_gone() -> AbstractContextManager[None]:
    return suppress(OSError)


def _let_go_of_stdout() -> None:
    """Point stdout to nowhere, or the interpreter would complain about its rest when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _terminated_like_interrupted() -> Generator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C; a second one of either kind changes nothing any more."""
    seen = False

    def once(_number: int, _frame: FrameType | None) -> None:
        # A flag, not SIG_IGN: signals that came together are all delivered, and Python complains in the midst
        # of our last writes about one that has no handler any more.
        nonlocal seen
        if not seen:
            seen = True
            raise KeyboardInterrupt

    before = {name: signal.signal(name, once) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        if not seen:  # else the process is about to end, and must not be hit on its way out
            for name, handler in before.items():
                signal.signal(name, handler)


def _show_plan(plan: Plan, folder: Path) -> None:
    from orchestrator.cli.pace import duration
    from orchestrator.cli.screen import Screen
    from orchestrator.experiments.estimate import estimate
    from orchestrator.experiments.run_folder import ResultsFolder
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
            words = f"  {series.key}: {experiment.iterations} iterations, about {time_s} ({source})"
            screen.write([Line(words)])
    total = sum(one.seconds for one in estimates.values())
    screen.write([BLANK, Line(f"Altogether about {duration(total)}. Nothing was run.")])

"""``orchestrator locate``: the call stacks that leak, and how much of the measured leak they explain."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import run_options as flag
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interrupts import interruptible
from orchestrator_worker.tracing.begin import TracerKey

if TYPE_CHECKING:
    from orchestrator.analysis.locating.located import Located
    from orchestrator.locating.keeping import NewestRun
    from orchestrator.locating.schedule import Schedule
    from orchestrator.locating.tracers import Tracer

KEPT = "what was traced is thrown away"


Call = Annotated[
    str | None,
    typer.Option(metavar="MODULE:FUNCTION", help="Call this function instead of running experiments."),
]
Method = Annotated[
    str | None,
    typer.Option(
        help="recreate, restart or reuse; default: those that leaked in the newest run, without one all of these."
    ),
]
Iterations = Annotated[
    int | None,
    typer.Option(
        min=1, help="Iterations (or calls) of each of the 6 blocks; default: as many as 15 s allow."
    ),
]
WarmUp = Annotated[int, typer.Option(min=1, help="Iterations before the tracer starts.")]
MaxTrace = Annotated[str, typer.Option(help="Largest trace file, such as 500MiB.")]
TracerName = Annotated[
    TracerKey | None,
    typer.Option("--tracer", help="Default: the first of these that is installed."),
]
Results = Annotated[
    Path | None,
    typer.Option(help="Results folder, for the measured leak; default: results beside the file."),
]
Issue = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write a bug report in Markdown, without paths or names of this machine."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a method on stdout.")]


def locate(
    file: flag.File = Path("experiments.toml"),
    call: Call = None,
    profile: flag.Profile = "auto",
    only: flag.Only = None,
    method: Method = None,
    iterations: Iterations = None,
    warm_up: WarmUp = 4,
    max_trace: MaxTrace = "2GiB",
    tracer: TracerName = None,
    results: Results = None,
    issue: Issue = None,
    as_json: AsJson = False,
) -> None:
    """Find the call stacks that leak: run under a tracer and see which grow with every block of iterations.

    Each method runs twice in a worker of its own, untraced and traced. The traced one is slower, and its times and its
    memory are not the engine's. Needs the extra locate (memray), or heaptrack, or jemalloc with its
    profiler.
    """
    if issue is not None:
        from orchestrator.cli.output_flags import check_flag
        from orchestrator.files.output_place import MARKDOWN

        check_flag("--issue", issue, MARKDOWN, runs=[results or file.parent / "results"])

    def work() -> ExitCode:
        from orchestrator.cli.located_after import say_kept
        from orchestrator.cli.terminal.located_view import print_located
        from orchestrator.files.writing import write_atomically
        from orchestrator.locating.issue import issue_report
        from orchestrator.locating.keeping import NO_RUN
        from orchestrator.locating.tracers import choose_tracer

        chosen_tracer = choose_tracer(tracer)
        schedule = _schedule(warm_up, iterations, max_trace)
        run = NO_RUN
        if call is not None:
            found = [_call(call, schedule, chosen_tracer)]
        else:
            found, run = _experiments(file, profile, only, method, results, schedule, chosen_tracer)
        print_located(found, as_json=as_json)
        say_kept(run.keep(found))
        if issue is not None:
            write_atomically(issue, issue_report(found).encode(errors="replace"))
            _say(f"bug report: {issue}")
        could_not = all(one.outcome == "unavailable" for one in found)
        return ExitCode.NOTHING_RAN if could_not else ExitCode.DONE

    raise typer.Exit(interruptible(work, kept=KEPT))


def _schedule(warm_up: int, iterations: int | None, max_trace: str) -> Schedule:
    from orchestrator.config.sizes import parse_size
    from orchestrator.locating.schedule import Schedule

    try:
        most = parse_size(max_trace)
    except ValueError as error:
        raise typer.BadParameter(f"--max-trace: {error}") from None
    return Schedule(warm_up=warm_up, iterations=iterations, most_trace_bytes=most)


def _call(target: str, schedule: Schedule, tracer: Tracer) -> Located:
    from orchestrator.locating.locate import locate as locate_work
    from orchestrator.locating.work import call_work

    if ":" not in target:
        raise typer.BadParameter(
            f"--call {target!r}: a module and a function in it, such as package.module:name"
        )
    return locate_work(call_work(target), schedule, tracer, progress=_say)


def _experiments(
    file: Path,
    profile: str,
    only: str | None,
    method: str | None,
    results: Path | None,
    schedule: Schedule,
    tracer: Tracer,
) -> tuple[list[Located], NewestRun]:
    from orchestrator.config.load import load_file
    from orchestrator.config.overrides import Overrides
    from orchestrator.config.resolve import resolve
    from orchestrator.locating.keeping import newest_run
    from orchestrator.locating.work import chosen, locate_plan
    from orchestrator.process.host.cores import physical_cores

    overrides = Overrides(profile=profile, only=_names(only))
    plan = resolve(load_file(file), file, overrides, os.environ, physical_cores())
    wanted = _names(method)
    there = {series.key: None for one in plan.experiments for series in chosen(one, wanted, None)}
    unknown = [
        name
        for name in wanted or ()
        if name not in there and not any(key.startswith(f"{name}@") for key in there)
    ]
    if unknown or not there:
        known = dict.fromkeys(series.key for one in plan.experiments for series in chosen(one, None, None))
        what = f"--method {', '.join(unknown)}: " if unknown else ""
        raise typer.BadParameter(
            f"{what}the experiments have {', '.join(known) or 'no method in one process'}; "
            "recycle and warm start fresh processes, in which nothing can add up"
        )
    run = newest_run(results if results is not None else Path(plan.file).parent / "results", plan)
    return locate_plan(plan, schedule, tracer, methods=wanted, run=run, progress=_say), run


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)

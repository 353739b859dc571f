"""``run --locate``: locates the leaks that the run has found, at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import Plan

LEAKING = "leak"
FRESH = ("recycle", "warm")
"""Methods whose processes are too short-lived for a leak to be located in."""


def locate_leaks(plan: Plan, results: Path, judgements: Sequence[Judgement], *, as_json: bool) -> None:
    """Locate every leak of the run and print what was found.

    A tracer that is missing, or a folder that cannot be written, costs no run its exit code.
    """
    from orchestrator.cli.terminal.located_view import print_located
    from orchestrator.errors import EngineUnavailableError, OrchestratorError
    from orchestrator.locating.keeping import newest_run
    from orchestrator.locating.schedule import Schedule
    from orchestrator.locating.tracers import choose_tracer
    from orchestrator.locating.work import locate_plan

    names = {each.experiment for each in judgements if each.verdict == LEAKING and each.method not in FRESH}
    if not names:
        return
    leaking = [one for one in plan.experiments if one.name in names]
    try:
        tracer = choose_tracer()
    except EngineUnavailableError as error:
        print(f"not located: {error.what}; to get it: {error.how_to_get_it}", file=sys.stderr)
        return
    run = newest_run(results, plan)
    try:
        found = locate_plan(
            msgspec.structs.replace(plan, experiments=leaking),
            Schedule(),
            tracer,
            run=run,
            progress=lambda what: print(what, file=sys.stderr, flush=True),
        )
    except (OrchestratorError, OSError) as error:
        print(f"not located: {error}", file=sys.stderr)
        return
    print_located(found, as_json=as_json)
    try:
        say_kept(run.keep(found))
    except (OrchestratorError, OSError) as error:
        print(f"not kept: {error}", file=sys.stderr)


def say_kept(written: Sequence[Path]) -> None:
    """Say where the answers are kept, and that the report shows them."""
    for path in written[:2]:
        print(f"{'report' if path.suffix == '.html' else 'kept'}: {path}", file=sys.stderr)

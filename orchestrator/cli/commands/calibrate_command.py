"""``orchestrator calibrate``: which known leaks are found on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interrupts import interruptible

if TYPE_CHECKING:
    from orchestrator.experiments.calibration.calibrate import Effort

_INTERRUPTED = "nothing of a calibration is kept before its end; an earlier one is untouched"


def calibrate(
    *,
    results: Annotated[
        Path, typer.Option(help="Results folder: the calibration is saved there and shown in later reports.")
    ] = Path("results"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer and shorter runs, only a quiet process; less precise.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure known leaks, pools and caches on this machine and compare the verdicts with the truth.

    The exit code is 1 if, with the heap channel, a case without a leak was called a leak, or a leak was called clean.
    """
    from orchestrator.experiments.calibration.calibrate import Effort

    effort = Effort.for_quick() if quick else Effort.for_full()

    def work() -> ExitCode:
        return run_calibration(effort, results, as_json=as_json, quiet=quiet)

    raise typer.Exit(interruptible(work, kept=_INTERRUPTED))


def run_calibration(effort: Effort, results: Path, *, as_json: bool, quiet: bool) -> ExitCode:
    """Calibrate with ``effort``, keep the result in ``results``, show it, and return the exit code."""
    from orchestrator.cli.terminal.progress import duration
    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.experiments.calibration.calibrate import calibrate as run
    from orchestrator.experiments.calibration.calibrate import measure_pace
    from orchestrator.experiments.storage.run_folder import ResultsFolder
    from orchestrator.experiments.storage.stored_calibration import write_calibration
    from orchestrator.files.writing import to_json
    from orchestrator.process.host.interpreter import worker_python
    from orchestrator.report.calibration_lines import calibration_lines
    from orchestrator.report.layout import Line

    worker_python()
    out, log = Screen(sys.stdout), Screen(sys.stderr)

    def tell(sentence: str) -> None:
        if not quiet:
            log.write([Line(sentence, "note")])

    with ResultsFolder(results).lock():  # first: a folder that cannot be written is known before, not after
        tell(
            f"calibrating; about {duration(effort.estimate_s(measure_pace(effort)))} at this machine's present pace"
        )
        calibration = run(effort, tell)
        path = write_calibration(results, calibration)
    if as_json:
        out.write_json(to_json(calibration))
    else:
        out.write(calibration_lines(calibration, out.width))
    tell(f"took {duration(calibration.seconds)}; kept in {path}, shown in every report made from now on")
    return ExitCode.DONE if calibration.sound else ExitCode.BROKEN

"""The typer application: registers the commands and maps errors to exit codes.

Expected errors print what they say and nothing else; an unexpected one keeps its traceback. Commands import
what they need when they run, so that ``--help`` stays quick.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestrator.cli.align_command import align
from orchestrator.cli.analyze_command import analyze
from orchestrator.cli.batch_command import batch
from orchestrator.cli.calibrate_command import calibrate
from orchestrator.cli.compare_command import compare
from orchestrator.cli.doctor_command import doctor
from orchestrator.cli.engines_command import engines
from orchestrator.cli.exit_codes import ExitCode, exit_code_for
from orchestrator.cli.init_command import init
from orchestrator.cli.plan_command import plan
from orchestrator.cli.report_command import report
from orchestrator.cli.run_command import run
from orchestrator.cli.schema_command import schema
from orchestrator.cli.top_command import top
from orchestrator.cli.transcribe_command import transcribe
from orchestrator.cli.watch_command import watch
from orchestrator.errors import OrchestratorError

app = typer.Typer(
    name="orchestrator",
    help="Run native speech engines in worker processes, measure their memory from outside, "
    "tell a leak from a pool.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(analyze)
app.command()(watch)
app.command()(compare)
app.command()(calibrate)
app.command()(report)
app.command()(plan)
app.command()(doctor)
app.command()(engines)
app.command()(schema)
app.command()(init)
app.command()(transcribe)
app.command()(align)
app.command()(batch)
app.command()(top)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from orchestrator import __version__

        print(f"orchestrator {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    pass


def run_app() -> None:
    """Run the application and end the process with its exit code."""
    try:
        app()
    except OrchestratorError as error:
        print(f"orchestrator: {error}", file=sys.stderr)
        sys.exit(exit_code_for(error))
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.DONE)

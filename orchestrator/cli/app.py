"""The typer application: its root, and which error leads to which exit code.

Expected errors print what they say and nothing else; an unexpected one keeps its traceback. The commands are
:mod:`.commands`' business.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestrator.cli.command_table import CommandsOnDemand
from orchestrator.cli.exit_codes import ExitCode, exit_code_for
from orchestrator.errors import OrchestratorError

app = typer.Typer(
    name="orchestrator",
    help="Run native speech engines in worker processes, measure their memory from outside, "
    "tell a leak from a pool.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # boxes and colours of --help would cost more than everything else it does
    cls=CommandsOnDemand,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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

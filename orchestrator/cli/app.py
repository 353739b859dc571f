"""The typer application: its root, and which error leads to which exit code.

Expected errors print what they say and nothing else; an unexpected one keeps its traceback. The commands are
in :mod:`.commands`.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any, NoReturn

import typer

from orchestrator.cli.command_table import CommandsOnDemand
from orchestrator.cli.exit_codes import ExitCode, exit_code_for
from orchestrator.cli.streams import (
    OutputError,
    abandon_output,
    flush_streams,
    prepare_streams,
    say_last,
)
from orchestrator.errors import OrchestratorError

# typer has brought a copy of click along since 0.26, before it used the installed one: take whichever is its base.
ClickException: Any = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")

app = typer.Typer(
    name="orchestrator",
    help="Run native speech engines in worker processes, measure their memory from outside, "
    "tell a leak from a pool.",
    no_args_is_help=True,
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
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def run_app() -> NoReturn:
    """Run the application and end the process with its exit code."""
    prepare_streams()
    try:
        code = _exit_code()
        flush_streams()
    except OutputError as error:
        code = _output_lost(error)
    sys.exit(code)


def _exit_code() -> int:
    try:
        return int(app(standalone_mode=False) or ExitCode.DONE)
    except ClickException as error:
        error.show(file=sys.stderr)
        return int(error.exit_code)
    except OrchestratorError as error:
        print(f"orchestrator: {error}", file=sys.stderr)
        return exit_code_for(error)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED


def _output_lost(error: OutputError) -> ExitCode:
    """A reader who has seen enough is told nothing, as by any command in a pipe; everybody else hears the reason."""
    abandon_output()
    if error.nobody_reads:
        return ExitCode.NOBODY_READS
    say_last(f"orchestrator: {error}")
    return ExitCode.USAGE

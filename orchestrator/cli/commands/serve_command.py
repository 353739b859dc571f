"""``orchestrator serve``: a speech service over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from orchestrator.cli import pipeline_flags as flags
from orchestrator.cli.exit_codes import ExitCode

NEEDED = ("starlette", "uvicorn", "python_multipart")


def serve(
    *,
    config: flags.Config = None,
    profile: flags.Profile = "auto",
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than this machine's own need a key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0: one that is free; the log names it.")
    ] = 8000,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="No key is asked for, and any web page may ask.")
    ] = False,
    log_format: Annotated[
        Literal["text", "json"],
        typer.Option("--log-format", help="Of the log on stderr, one line for each request."),
    ] = "text",
) -> None:
    """Serve speech recognition over HTTP, as OpenAI's clients ask for it.

    Limits, models that stay loaded and keys are the table [serve] of experiments.toml. Requests must carry the key in
    the environment variable ORCHESTRATOR_API_KEY, if that is set. SIGTERM finishes what is under way, a second one
    kills; SIGHUP reads the configuration again.
    """
    _require_packages()
    from orchestrator.cli.pipeline_setup import config_file
    from orchestrator.serving.logs import log_to_stderr
    from orchestrator.serving.server import serve as serve_until_told

    log_to_stderr(log_format)
    ended_well = serve_until_told(config_file(config), profile, host, port, insecure=insecure)
    raise typer.Exit(ExitCode.DONE if ended_well else ExitCode.INTERRUPTED)


def _require_packages() -> None:
    """Refuse to begin without the extra.

    Raises:
        EngineUnavailableError: Names what is missing, and the command that installs it.
    """
    from importlib.util import find_spec

    from orchestrator.errors import EngineUnavailableError

    missing = [name.replace("_", "-") for name in NEEDED if find_spec(name) is None]
    if missing:
        raise EngineUnavailableError(
            f"serve needs the packages {', '.join(missing)}", "pip install 'orchestrator[serve]'"
        )

"""``orchestrator schema``: the JSON Schema of experiments.toml, for editors, or of what a command prints."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer


def schema(
    of: Annotated[
        Literal["experiments", "located"],
        typer.Option(help="experiments: experiments.toml; located: what locate --json prints."),
    ] = "experiments",
) -> None:
    """Print the JSON Schema of experiments.toml."""
    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.config.schema import schema_text
    from orchestrator.locating.schema import located_schema_text

    text = schema_text() if of == "experiments" else located_schema_text()
    Screen(sys.stdout).write_json(text.encode())

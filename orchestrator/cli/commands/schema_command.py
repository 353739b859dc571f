"""``orchestrator schema``: the JSON Schema of experiments.toml, for editors."""

from __future__ import annotations

import sys


def schema() -> None:
    """Print the JSON Schema of experiments.toml."""
    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.config.schema import schema_text

    Screen(sys.stdout).write_json(schema_text().encode())

"""``orchestrator schema``: the JSON Schema of experiments.toml, for editors."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON Schema of experiments.toml."""
    from orchestrator.config.schema import schema_text

    print(schema_text(), end="")

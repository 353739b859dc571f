"""The command line: one command per file, the only place that prints and that knows exit codes."""

from __future__ import annotations


def main() -> None:
    """Entry of the ``orchestrator`` script. Ends the process with an exit code of interfaces.md."""
    from orchestrator.cli.app import run_app

    run_app()

"""``orchestrator version``: the version, and with ``--json`` what else a bug report needs to name."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def version(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object: also Python, system, schemas and packages.")
    ] = False,
) -> None:
    """Print the version; with --json also those of Python, system, file schemas and packages."""
    from orchestrator import __version__

    if not as_json:
        print(f"orchestrator {__version__}")
        return
    import platform

    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.config.types import SCHEMA_VERSION
    from orchestrator.experiments.storage.host import package_versions
    from orchestrator.files.writing import to_json

    facts = {
        "orchestrator": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(filter(None, platform.libc_ver())) or None,
        "experiments_schema": SCHEMA_VERSION,
        "packages": package_versions(),
    }
    Screen(sys.stdout).write_json(to_json(facts))

"""Look at an installed package without importing it: where it lies, which version it is.

An engine's ``check`` must not load native code, and a package that is only half there must be told apart from
one that is missing. What the answer means is the engine's business.
"""

from __future__ import annotations

import importlib.util

from orchestrator_worker.engines.base import EngineUnavailableError


def package_folder(module: str, how_to_get_it: str) -> str:
    """Return the folder of the importable package ``module``; nothing of it is run.

    Raises:
        EngineUnavailableError: There is no such package, or it is a single file.
    """
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # ValueError: something put a half-made module into sys.modules
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise EngineUnavailableError(f"the Python package {module} is not installed", how_to_get_it)
    return next(iter(spec.submodule_search_locations))


def package_version(distribution: str) -> str:
    """Return the version the installer recorded, or ``unknown``."""
    from importlib import metadata  # reads zip and email code: only an engine being loaded pays for it

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"

"""Ray itself: imported late, connected to once, left alone when it was somebody else who started it.

Everything here that is Ray's is ``Any``: its types change between releases, and none of them leaves this package.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

from orchestrator.errors import EngineUnavailableError

USAGE_STATS = "RAY_USAGE_STATS_ENABLED"
_lock = threading.Lock()
_ours = 0
"""RayPools that use a connection which one of them made; the last one out closes it."""


def load_ray() -> Any:
    """Return the module.

    Raises:
        EngineUnavailableError: It is not installed; names the extra.
    """
    # A connection must not report home unless somebody asked for it; Ray reads this when it is imported.
    os.environ.setdefault(USAGE_STATS, "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise EngineUnavailableError(
            f"RayPool needs the package ray ({error})", "pip install 'orchestrator[ray]'"
        ) from error


def connect(ray: Any, address: str | None) -> bool:
    """Connect to a cluster unless the host already has; return whether the connection is ours to close.

    ``address`` as for ``ray.init``: None finds a cluster of this machine or starts one.

    Raises:
        EngineUnavailableError: Nothing answers there.
    """
    global _ours  # noqa: PLW0603 - the connection is the process's, and so is the count of those who use it
    with _lock:
        if ray.is_initialized():
            if _ours:
                _ours += 1
            return bool(_ours)
        try:
            ray.init(address=address, log_to_driver=False, **_when_starting(address))
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise EngineUnavailableError(
                f"no Ray cluster answers at {address or 'this machine'}: {error}",
                "start one with 'ray start --head', or give the address of one that runs",
            ) from error
        _ours = 1
        return True


def _when_starting(address: str | None) -> dict[str, Any]:
    """Return what only a cluster that we may have to start is told; a connection refuses such options."""
    found = address or os.environ.get("RAY_ADDRESS")
    return {"logging_level": "WARNING"} if found else {"logging_level": "WARNING", "include_dashboard": False}


def disconnect(ray: Any) -> None:
    """Give up a connection that :func:`connect` said is ours; the last one closes it."""
    global _ours  # noqa: PLW0603 - see connect
    with _lock:
        _ours -= 1
        if not _ours:
            ray.shutdown()

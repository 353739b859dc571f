"""Ray itself: imported late, connected to once, left alone when it was somebody else who started it.

Everything here that is Ray's is ``Any``: its types change between releases, and none of them leaves this package.
"""

from __future__ import annotations

import importlib
import os
import threading
from contextlib import suppress
from typing import Any

from orchestrator.cluster.own_cluster import OwnCluster, answers, cluster_to_join
from orchestrator.errors import EngineUnavailableError

USAGE_STATS = "RAY_USAGE_STATS_ENABLED"
_lock = threading.Lock()
_ours = 0
"""RayPools that use a connection which one of them made; the last one out closes it."""
AUTO, LOCAL = "auto", "local"
PATIENCE_S = 5.0
"""How long a cluster whose address is given may take to listen there."""
_own: OwnCluster | None = None
"""The cluster that one of them had to start."""


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

    ``address`` as for ``ray.init``, and before it ``RAY_ADDRESS``. None finds a cluster that this user or root started
    on this machine, or starts one (:mod:`.own_cluster`); ``local`` always starts one.

    Raises:
        EngineUnavailableError: Nothing answers there, or a cluster could not be started.
    """
    global _ours, _own  # noqa: PLW0603 - the connection is the process's, and so is the count of those who use it
    with _lock:
        if ray.is_initialized():
            if _ours:
                _ours += 1
            return bool(_ours)
        wanted = address or os.environ.get("RAY_ADDRESS") or None
        if wanted == LOCAL or (wanted is None and not cluster_to_join()):
            _own = OwnCluster(ray)
        else:
            _join(ray, wanted)
        _ours = 1
        return True


def _join(ray: Any, address: str | None) -> None:
    # Ray would try for minutes where nobody listens.
    if address is not None and address != AUTO and not answers(address, PATIENCE_S):
        raise _no_answer(address, f"nothing listens there within {PATIENCE_S:g} s")
    try:
        ray.init(address=address, log_to_driver=False, logging_level="WARNING")
    except Exception as error:
        with suppress(Exception):  # it may have come half-way
            ray.shutdown()
        raise _no_answer(address, f"{type(error).__name__}: {error}") from error


def _no_answer(address: str | None, reason: str) -> EngineUnavailableError:
    return EngineUnavailableError(
        f"no Ray cluster answers at {address or 'this machine'}: {reason}",
        "start one with 'ray start --head', or give the address of one that runs",
    )


def disconnect(ray: Any) -> None:
    """Give up a connection that :func:`connect` said is ours; the last one closes it."""
    global _ours, _own  # noqa: PLW0603 - see connect
    with _lock:
        _ours -= 1
        if _ours:
            return
        if _own is None:
            ray.shutdown()
        else:
            _own.end()
            _own = None

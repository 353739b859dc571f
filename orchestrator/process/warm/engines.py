"""Which models are started warm, as far as that is known before anything is started."""

from __future__ import annotations

import os

from orchestrator.config.model import Model
from orchestrator.process.sandbox.modes import mode_of
from orchestrator_worker.sandbox.kernel import landlock_abi
from orchestrator_worker.sandbox.landlock import ABI_OF_SCOPES

FORKABLE: frozenset[str] = frozenset({"chatllm", "pocketsphinx"})
"""Engines of ours that say they may be forked, by name: for those who have no worker to ask."""
WARM_BY_DEFAULT: frozenset[str] = frozenset()
"""Engines whose models are warm with ``start = "auto"``; with ``"warm"`` an engine of any name is asked."""


def why_cold(model: Model) -> str | None:
    """Return why workers of a model are started cold without a try; None: a template is to be tried.

    An empty text where nobody has asked for anything else.
    """
    if model.start == "cold" or (model.start == "auto" and model.engine not in WARM_BY_DEFAULT):
        return ""
    if not hasattr(os, "pidfd_open") or not os.path.isdir("/proc/self/task"):  # noqa: PTH112
        return "the system has no pidfds or no /proc, without which forked workers cannot be watched"
    if mode_of(model) == "strict" and landlock_abi() < ABI_OF_SCOPES:
        # Its filter would allow signals to one process alone, and so to its template's instead of its own.
        return (
            'a model with sandbox = "strict" is started warm where Landlock keeps signals inside, which needs version '
            f"{ABI_OF_SCOPES} of it (Linux 6.12)"
        )
    return None

"""Which models are started warm, as far as that is known before anything is started."""

from __future__ import annotations

import os

from orchestrator.config.model import Model
from orchestrator.process.sandbox.modes import mode_of

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
    if (mode := mode_of(model)) != "off":
        return f'a worker with sandbox = "{mode}" is confined before it loads, each for itself'
    return None

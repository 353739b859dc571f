"""Which models are started warm, as far as that is known before anything is started."""

from __future__ import annotations

import os

from orchestrator.config.model import Model
from orchestrator.process.sandbox.modes import mode_of
from orchestrator_worker.sandbox.kernel import landlock_abi, why_no_filter_that_asks
from orchestrator_worker.sandbox.landlock import ABI_OF_SCOPES

FORKABLE = frozenset({"chatllm", "pocketsphinx"})
"""Our engines that may be forked after a load: with ``start = "auto"`` their models are warm."""
COLD_BY_DEFAULT = frozenset({"faster-whisper", "function", "moonshine"})
"""Those of which it is known that they may not; with ``"warm"`` they are asked all the same."""
NOT_ALLOWED = "does not say that it may be forked after a load"


def why_cold(model: Model) -> str | None:
    """Return why workers of a model are started cold without a try; None: a template is to be tried.

    An empty text where nobody has asked for anything else.
    """
    if model.start == "cold" or (model.start == "auto" and not _is_tried(model)):
        return ""
    if lacks := _lacks():
        return lacks
    return _strict_lacks() if mode_of(model) == "strict" else None


def _strict_lacks() -> str | None:
    if landlock_abi() < ABI_OF_SCOPES:
        # Its filter would allow signals to one process alone, and so to its template's instead of its own.
        return (
            'a model with sandbox = "strict" is started warm where Landlock keeps signals inside, which needs version '
            f"{ABI_OF_SCOPES} of it (Linux 6.12)"
        )
    if reason := why_no_filter_that_asks():
        return f'a model with sandbox = "strict" is started warm by a seccomp filter that asks its host, and {reason}'
    return None


def _lacks() -> str:
    if not hasattr(os, "pidfd_open") or not os.path.isdir("/proc/self/task"):  # noqa: PTH112
        return "the system has no pidfds or no /proc, without which forked workers cannot be watched"
    return ""


def _is_tried(model: Model) -> bool:
    """Whether ``start = "auto"`` tries a template: of an engine of others that alone tells whether it may."""
    if model.engine.startswith("synthetic"):
        return bool(model.options.get("may_fork"))
    return model.engine not in COLD_BY_DEFAULT


def why_engine_cold(engine: str, *, forks: bool) -> str:
    """Return why models of an engine are started cold; empty where a pool starts them warm without being asked."""
    if not forks:
        return f"it {NOT_ALLOWED}"
    return why_cold(Model(name=engine, engine=engine, start="warm")) or ""

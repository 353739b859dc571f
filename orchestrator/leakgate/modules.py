"""Do the worker and the test run mean the same modules? Two releases of a package may lie on one ``sys.path``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path

_OURS = ("orchestrator", "orchestrator_worker")
_MAINS = ("__main__", "__mp_main__")
_SHOWN = 3


def differences(theirs: Mapping[str, str]) -> list[str]:
    """Return a sentence for each module that the worker loaded from another file than this process has.

    ``theirs`` are the worker's modules with their files. Modules that only one side has loaded are not compared, nor
    the main program, which is another there (``multiprocessing`` gives it a second name), nor our own.
    Of a package and its modules the package alone is named.
    """
    found: dict[str, str] = {}
    for name in sorted(theirs):
        parent, _, _ = name.partition(".")
        if parent in _OURS or parent in _MAINS or parent in found:
            continue
        ours = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(ours, str) and not _same(ours, theirs[name]) and _on_the_path(parent):
            found[name] = (
                f"{name} is {theirs[name]} in the worker and {Path(ours).absolute()} in this test run"
            )
    said = list(found.values())
    more = len(said) - _SHOWN
    return [*said[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _on_the_path(name: str) -> bool:
    """Whether a module of that top-level name can be imported at all.

    Extension modules of several packages enter helpers under one and the same name that nobody imports (Cython's do).
    """
    try:
        return PathFinder.find_spec(name, sys.path) is not None
    except (ImportError, ValueError):
        return False


def _same(one: str, other: str) -> bool:
    if Path(one).absolute() == Path(other).absolute():
        return True
    try:
        return Path(one).samefile(other)
    except OSError:
        return False

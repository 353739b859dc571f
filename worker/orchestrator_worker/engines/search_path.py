"""Have modules found where another process finds them: its ``sys.path``, in its order."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import PathFinder


def take_over(path: list[str]) -> None:
    """Make ``path`` the search path; what only we had comes after it.

    The worker's own start has loaded a few packages that others use too, by its own search path. Where the new one
    finds another release, ours is forgotten, so that the next import takes theirs; our modules keep what they hold.
    """
    sys.path[:] = [*path, *(entry for entry in sys.path if entry not in path)]
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if "." not in name]:
        if name not in sys.stdlib_module_names and _lies_elsewhere(name):
            for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
                del sys.modules[each]


def _lies_elsewhere(name: str) -> bool:
    loaded = getattr(sys.modules[name], "__file__", None)
    if name in {"__main__", __name__.partition(".")[0]} or not isinstance(loaded, str):
        return False
    try:
        found = PathFinder.find_spec(name, sys.path)
    except (ImportError, ValueError):
        return False
    if found is None or found.origin is None or not os.path.exists(found.origin):
        return False
    return not os.path.samefile(found.origin, loaded)

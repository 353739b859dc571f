"""A project may have an ``orchestrator.py`` of its own: our name must not hide it from its tests.

pytest has loaded the plugin, and with it the package ``orchestrator``, before it looks at the project. Imports nothing:
every pytest run of the environment loads it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path

_NAME = "orchestrator"
_OURS = Path(__file__).parent.parent


def give_way(folders: Iterable[Path]) -> Path | None:
    """Forget our package where one of ``folders`` has a module of its name; return that module's file.

    Whoever imports the name afterwards gets what ``sys.path`` finds first, as without the plugin.
    """
    theirs = module_of_that_name(folders)
    if theirs is not None:
        for name in [name for name in sys.modules if name == _NAME or name.startswith(f"{_NAME}.")]:
            del sys.modules[name]
    return theirs


def module_of_that_name(folders: Iterable[Path]) -> Path | None:
    """Return the file of a module ``orchestrator`` in one of the folders that is not ours; None where there is none."""
    found = PathFinder.find_spec(_NAME, [str(folder) for folder in folders])
    if found is None or found.origin is None or Path(found.origin).parent.resolve() == _OURS.resolve():
        return None
    return Path(found.origin)


def hidden_by() -> str | None:
    """Return the sentence for a name that gives another module than our package; None where it gives ours."""
    loaded = getattr(sys.modules.get(_NAME), "__file__", None)
    theirs = Path(loaded) if isinstance(loaded, str) else module_of_that_name(map(Path, sys.path))
    if theirs is None or theirs.parent.resolve() == _OURS.resolve():
        return None
    return (
        f"{_NAME} is {theirs} in this test run, which hides the installed package of that name; rename the module to "
        "use leak_check"
    )

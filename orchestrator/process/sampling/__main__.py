"""Start the sampling process: ``python PATH_OF_THIS_FILE …``, by path, with nothing of the package imported.

The package's own ``__init__`` would import more than all of the sampling process. So packages of its name that hold
nothing but a path stand in for it.
"""

from __future__ import annotations

import sys
from types import ModuleType

if __name__ == "__main__":
    _here = __file__.rpartition("/")[0]
    for _name, _up in (
        ("orchestrator", 2),
        ("orchestrator.process", 1),
        ("orchestrator.process.sampling", 0),
    ):
        _package = ModuleType(_name)
        _package.__path__ = [_here.rsplit("/", _up)[0]]
        sys.modules[_name] = _package
    from orchestrator.process.sampling.program import main

    main(sys.argv[1:])

"""Give the processes that a benchmark starts what every installed package has: compiled modules.

Where PYTHONDONTWRITEBYTECODE is set, as in many containers, a checkout's modules would be compiled anew by each
process, and the libraries beside them not.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def compiled_modules() -> Iterator[None]:
    """Let children keep compiled modules in a folder of their own while the block lasts; the first one fills it."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

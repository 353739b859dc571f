"""Folders with short paths, for sockets: the kernel takes 107 characters, and pytest's own folders use up most."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 12


def short_folder() -> str:
    """Return the folder for temporary files if its path leaves room for a test's and a socket's, else the system's."""
    return min(tempfile.gettempdir(), "/tmp", key=lambda path: len(path) > LONGEST)


@contextmanager
def new_short_folder(prefix: str = "o-") -> Iterator[Path]:
    """Make a folder for the block, and remove it with all that is in it."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=short_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

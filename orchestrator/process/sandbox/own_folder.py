"""The folder of one confined worker: private, locked while its maker lives, and removed with the worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from pathlib import Path

from orchestrator.audio.cache import PrivateFolder
from orchestrator.process.sandbox.removal import remove_soon

FOLDER_PREFIX = "orchestrator-worker-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLAIN = re.compile(r"/[A-Za-z0-9/._-]*")
_swept: set[Path] = set()


class OwnFolder(PrivateFolder):
    """Made in the folder for temporary files. What killed processes left there is removed once, by the first."""

    def __init__(self, parent: Path | None = None) -> None:
        """Make it; in ``parent``, which is such a folder too, where that is given.

        Raises:
            OSError: It cannot be made.
        """
        if parent is None:
            parent = _place()
            if parent not in _swept:
                _swept.add(parent)
                sweep(parent)
        super().__init__(parent, FOLDER_PREFIX)

    def close(self) -> None:
        """Remove it, unless this is a fork of its maker; a thread goes on with what is much. Safe to call again."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if os.getpid() == self._maker:
            remove_soon(str(self.path), lambda: os.close(descriptor))
        else:
            os.close(descriptor)


def _place() -> Path:
    """Return the folder for temporary files, or a usual one if a shell would not read that as it is written.

    A library that runs a program by a shell is given paths in its worker's folder.
    """
    usual = tempfile.gettempdir()
    for place in (usual, "/tmp", "/var/tmp"):  # noqa: S108 - what is made there is private
        if _PLAIN.fullmatch(place) and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    return Path(usual)


def sweep(parent: Path) -> None:
    """Remove the folders in ``parent`` whose makers are gone."""
    try:
        with os.scandir(parent) as entries:
            left = [entry.path for entry in entries if entry.name.startswith(FOLDER_PREFIX)]
    except OSError:
        return
    for path in left:
        with contextlib.suppress(OSError):
            _sweep_one(path)


def _sweep_one(path: str) -> None:
    descriptor = os.open(path, _FOLDER)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return
    remove_soon(path, lambda: os.close(descriptor))

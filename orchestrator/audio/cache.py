"""Where converted copies lie: private to their owner, of bounded size and age, and swept after a kill.

Recordings may be confidential, whatever their copies' folder is like: folders are made for their owner alone
(0700), and so are files (0600). What is being written lies in a folder of its own whose lock the kernel holds for its
writer; one whose lock is free is what a killed process left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

MOST_BYTES = 4 << 30
MOST_AGE_S = 30 * 86_400.0
IN_USE_S = 3600.0
"""A copy that was asked for within this time may be about to be read, and stays."""
SIZE_VARIABLE = "ORCHESTRATOR_CACHE_BYTES"
AGE_VARIABLE = "ORCHESTRATOR_CACHE_DAYS"
_PRIVATE = ".converting-"


def make_private(folder: Path) -> None:
    """Make a folder for its owner alone, with those above it; one that is there, is ours and is open is closed.

    Raises:
        OSError: It cannot be made.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    status = folder.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(20, os.strerror(20), str(folder))
    if status.st_uid == os.geteuid() and status.st_mode & 0o077 and not status.st_mode & stat.S_ISVTX:
        folder.chmod(0o700)


class PrivateFolder:
    """A folder for work that is not finished, locked while its maker lives; after a kill :func:`sweep` removes it."""

    def __init__(self, parent: Path, prefix: str = _PRIVATE) -> None:
        """Make it.

        Raises:
            OSError: It cannot be made.
        """
        self._maker = os.getpid()
        self.path, self._descriptor = _locked_folder(parent, prefix)

    def close(self) -> None:
        """Remove it, unless this is a fork of its maker. Safe to call again."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            if os.getpid() == self._maker:
                shutil.rmtree(self.path, ignore_errors=True)
            os.close(descriptor)


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # somebody sweeps, and was quicker than our lock
        except OSError:
            path.rmdir()
            raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        except OSError:  # a file system without locks: then by age alone
            return path, descriptor
        if path.exists():
            return path, descriptor
        os.close(descriptor)


@contextlib.contextmanager
def private_folder(parent: Path, prefix: str = _PRIVATE) -> Generator[Path]:
    """Make a :class:`PrivateFolder` in ``parent`` that goes at the end.

    Raises:
        OSError: It cannot be made.
    """
    folder = PrivateFolder(parent, prefix)
    try:
        yield folder.path
    finally:
        folder.close()


def sweep(parent: Path, prefix: str = _PRIVATE) -> None:
    """Remove what killed processes left of :func:`private_folder`."""
    try:
        left = [entry.path for entry in os.scandir(parent) if entry.name.startswith(prefix)]
    except OSError:
        return
    for path in left:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def prune(folder: Path, now_s: float | None = None) -> None:
    """Remove copies that nobody asked for in a month, and the oldest until the rest is within its bound.

    Bounds: :data:`MOST_AGE_S` and :data:`MOST_BYTES`, or the environment's ``ORCHESTRATOR_CACHE_DAYS`` and
    ``ORCHESTRATOR_CACHE_BYTES``. What was asked for within the last hour stays. Never raises.
    """
    now_s = time.time() if now_s is None else now_s
    age_s = _number(AGE_VARIABLE, MOST_AGE_S / 86_400) * 86_400
    most = _number(SIZE_VARIABLE, MOST_BYTES)
    kept: list[tuple[float, int, str]] = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                if entry.is_file(follow_symlinks=False) and entry.name.endswith((".wav", ".json", ".jsonl")):
                    status = entry.stat(follow_symlinks=False)
                    kept.append((status.st_mtime, status.st_size, entry.path))
    kept.sort()
    total = sum(size for _, size, _ in kept)
    for used_s, size, path in kept:
        idle_s = now_s - used_s
        if idle_s > IN_USE_S and (idle_s > age_s or total > most):
            total -= size
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - a name from scandir


def _number(variable: str, default: float) -> float:
    try:
        said = float(os.environ[variable])
    except (KeyError, ValueError):
        return default
    return said if said >= 0 else default

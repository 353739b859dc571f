"""Files made where others may have prepared something: no link is followed, and nothing leaves its folder.

Whoever can write into a folder can put a link there, under a name that will be used, to a file of somebody else's.
So a new file is made under a name of its own and must not be there yet, a folder below the root is entered
only when it is a folder itself, and what is opened again must be a file with one name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Generator
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LEFT_AFTER_S = 3600.0
_swept: set[str] = set()


@contextlib.contextmanager
def folder_below(root: Path, folder: Path, *, make: bool = False) -> Generator[int]:
    """Give a descriptor of ``folder``, which is ``root`` or below it; links on the way from there are not followed.

    Raises:
        OSError: It is not there, cannot be made, or a link or a file stands on the way (ELOOP, ENOTDIR).
        ValueError: ``folder`` is not below ``root``.
    """
    parts = folder.relative_to(root).parts
    if ".." in parts:
        raise ValueError(f"{folder} is not below {root}")
    if make:
        root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            if stat.S_ISLNK(os.stat(part, dir_fd=descriptor, follow_symlinks=False).st_mode):
                raise OSError(errno.ELOOP, "a link stands where a folder is needed", str(folder))
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def write_new(name: str, content: bytes, *, folder: int, mode: int = 0o666) -> None:
    """Write a file that is not there yet, to the disk. Something prepared under its name is removed, not followed.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    try:
        descriptor = os.open(name, _NEW, mode, dir_fd=folder)
    except FileExistsError:
        os.unlink(name, dir_fd=folder)
        descriptor = os.open(name, _NEW, mode, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def open_new(path: Path, mode: int = 0o666) -> int:
    """Make a file and return its descriptor, for writing; nothing that is prepared under its name is followed.

    Raises:
        OSError: It is there already, or cannot be made.
    """
    return os.open(path, _NEW, mode)


def temporary_name(name: str) -> str:
    """Return a name beside ``name`` that nobody can foresee."""
    shown = name.encode(errors="surrogateescape")[:200].decode(errors="ignore")
    return f".{shown}.{secrets.token_hex(6)}.tmp"


def sweep_temporary(folder: Path) -> None:
    """Remove what a killed process left under such names an hour ago or more; looks once per folder and process."""
    if str(folder) in _swept:
        return
    _swept.add(str(folder))
    now_s = time.time()
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            parts = entry.name.rsplit(".", 2)
            if len(parts) < 3 or parts[2] != "tmp" or not entry.name.startswith("."):
                continue
            old = now_s - entry.stat(follow_symlinks=False).st_mtime > _LEFT_AFTER_S
            if old and len(parts[1]) == 12 and not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # noqa: PTH108 - a name from scandir


def open_own(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open a file that we may change: one that is a link, or has a second name elsewhere, is refused.

    Raises:
        OSError: It cannot be opened; ELOOP for a link, EMLINK for a second name.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise OSError(errno.EMLINK, "it is no plain file, or has another name elsewhere", str(path))
    return descriptor

"""What any Python needs to read: itself, the system's libraries, a few facts about the machine. And what is too wide.

Nothing private lies in there, with one exception that cannot be helped: folders of ``sys.path`` hold whatever lies
beside the modules. Where such a folder is the home folder, one above it or one for temporary files, only what can be
imported from it is allowed, not the folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld-musl-x86_64.path",
    "/etc/ld-musl-aarch64.path",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/nsswitch.conf",
    "/etc/alternatives",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
    "/dev/random",
    "/dev/urandom",
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
"""What may be written as well."""
Folder = tuple[int, int]
"""Number of its device, number on it."""
_PARTS = ("bin", "lib", "lib64", "pyvenv.cfg")
_MODULES = (".py", ".pyc", ".so", ".zip", ".pth")


def prefixes(wide: frozenset[Folder]) -> list[str]:
    """Return the folders of the interpreter, of its environment, and of our own package; of ``wide`` ones a part."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders = dict.fromkeys([sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix])
    inside = [
        f"{folder}/{part}" if is_wide(folder, wide) else folder
        for folder in folders
        for part in (_PARTS if is_wide(folder, wide) else _PARTS[:1])
    ]
    return [*inside, os.path.realpath(sys.executable), own]


def folders_of_modules(path: Iterable[str], wide: frozenset[Folder]) -> tuple[list[str], list[str]]:
    """Return what may be read of the folders of ``path``, and which of them may be listed alone.

    ``wide`` are folders of which nothing but modules may be read.
    """
    reads: list[str] = []
    lists: list[str] = []
    for entry in path:
        if is_wide(entry, wide):
            lists.append(entry)
            reads += _importable(entry)
        else:
            reads.append(entry)
    return reads, lists


def wide_folders(wide: Iterable[str]) -> frozenset[Folder]:
    """Return by what the system knows the folders ``wide``, which are real paths, and all above them."""
    paths = set(wide)
    for path in wide:
        while path := path.rpartition("/")[0]:
            paths.add(path)
    return frozenset(filter(None, map(_folder, [*paths, "/"])))


def is_wide(path: str, wide: frozenset[Folder]) -> bool:
    """Whether ``path``, by whatever links it leads there, is one of these folders."""
    return _folder(path) in wide


def _folder(path: str) -> Folder | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _importable(folder: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        stem, dot, _ = entry.name.partition(".")
        if stem.isidentifier() and (
            entry.name.endswith(_MODULES) or (not dot and os.path.isfile(f"{entry.path}/__init__.py"))
        ):
            yield entry.path

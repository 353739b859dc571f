"""Find the allocator that a variant preloads, and make sure that it really takes the C library's place.

A library that cannot be preloaded is no error to the loader: it prints a line and goes on with the C library's
allocator, and the variant would measure the same once more under another name. So a worker is started with it
and asked what it allocates with.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.errors import EngineUnavailableError, JobError, WorkerError
from orchestrator.process.dialogue import Dialogue
from orchestrator_worker.allocator import REPLACED

PRELOAD = "DYLD_INSERT_LIBRARIES" if sys.platform == "darwin" else "LD_PRELOAD"
_SUFFIX = "dylib" if sys.platform == "darwin" else "so"
REMEDIES: Mapping[str, str] = {
    "jemalloc": "apt-get install libjemalloc2",
    "mimalloc": "apt-get install libmimalloc2.0",
}
VARIABLES: Mapping[str, str] = {"jemalloc": "JEMALLOC_LIB", "mimalloc": "MIMALLOC_LIB"}
"""Environment variables that say where a library lies, for places we do not know."""


class AllocatorError(Exception):
    """An allocator that cannot be preloaded; ``what`` and the command or sentence that cures it."""

    def __init__(self, what: str, how_to_get_it: str) -> None:
        super().__init__(f"{what}; to get it: {how_to_get_it}")
        self.what, self.how_to_get_it = what, how_to_get_it


def library_folders() -> list[Path]:
    """Return where the system keeps shared libraries, those of the user first."""
    multiarch = sysconfig.get_config_var("MULTIARCH")
    names = ["/usr/local/lib", "/opt/homebrew/lib"]
    names += [f"/usr/lib/{multiarch}", f"/lib/{multiarch}"] if multiarch else []
    return [Path(name) for name in (*names, "/usr/lib64", "/lib64", "/usr/lib", "/lib")]


def find_allocator(said: str, environ: Mapping[str, str], folders: Iterable[Path] | None = None) -> Path:
    """Return the library to preload.

    Args:
        said: ``jemalloc``, ``mimalloc`` or an absolute path.
        environ: ``JEMALLOC_LIB`` and ``MIMALLOC_LIB`` name libraries that lie elsewhere.
        folders: Where to look; default the system's.

    Raises:
        AllocatorError: It is not there, or the loader could not take its path.
    """
    if "/" in said:
        return _usable(Path(said), f"allocator {said}", "put the library there, or name another path")
    variable = VARIABLES[said]
    if named := environ.get(variable, "").strip():
        return _usable(Path(named).absolute(), f"allocator {said} ({variable})", f"correct {variable}")
    for folder in library_folders() if folders is None else folders:
        found = sorted(folder.glob(f"lib{said}*.{_SUFFIX}*"), key=lambda path: (len(path.name), path.name))
        if found:
            return _usable(found[0], f"allocator {said}", REMEDIES[said])
    raise AllocatorError(
        f"allocator {said} is not installed", f"{REMEDIES[said]}, or set {variable} to its library"
    )


def preloaded(library: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Return ``env`` with the library before whatever it preloads already."""
    others = [env[PRELOAD]] if env.get(PRELOAD) else []
    return {**env, PRELOAD: ":".join([str(library), *others])}


def check_replaced(library: Path, env: Mapping[str, str]) -> None:
    """Start a worker with the library and ask what it allocates with; blocks until it has answered.

    Raises:
        AllocatorError: The worker does not start with it, or still uses the C library's allocator.
    """
    how_to_get_it = "take a build for this system, or another library"
    try:
        with Dialogue(preloaded(library, env), heap=True) as dialogue:
            heap = dialogue.ready.heap
    except (EngineUnavailableError, JobError, WorkerError) as error:
        raise AllocatorError(f"no worker starts with {library} preloaded: {error}", how_to_get_it) from error
    if heap is None or heap.off != REPLACED:
        raise AllocatorError(f"{library} does not take the place of the C library's allocator", how_to_get_it)


def _usable(path: Path, what: str, how_to_get_it: str) -> Path:
    if not path.is_file():
        raise AllocatorError(f"{what}: {path} is not there", how_to_get_it)
    if any(sign in str(path) for sign in " :"):
        raise AllocatorError(
            f"{what}: {path} has a space or a colon in it, at which {PRELOAD} would be cut",
            "link it from a path without them",
        )
    return path

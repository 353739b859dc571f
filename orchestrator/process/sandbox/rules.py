"""What a worker with certain models may read and write, besides what any Python needs.

Its models' files, with the folders these lie in (splits, tokenizers), what their options and their ``env`` name by an
absolute path, and what ``sandbox_reads`` and ``sandbox_writes`` say. A folder that holds other things too (the home
folder, one above it, one for temporary files) is never taken for a model's: then the file alone is allowed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.config.model import Model
from orchestrator.errors import SandboxUnavailableError
from orchestrator_worker.protocol import Sandbox
from orchestrator_worker.sandbox.kernel import why_not
from orchestrator_worker.sandbox.readable import Folder, is_wide, wide_folders

_FOR_TEMPORARY_FILES = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 - never written to here
_MOST_LINKS = 1000


def require_sandbox(models: Iterable[Model]) -> None:
    """See that this system can confine the workers of these models.

    Raises:
        SandboxUnavailableError: It cannot; says why in one sentence.
    """
    for model in models:
        if model.sandbox != "off" and (reason := why_not(model.sandbox)):
            raise SandboxUnavailableError(
                f'sandbox = "{model.sandbox}" of model {model.name!r} {reason}',
                'use a newer kernel, or sandbox = "off" where model and audio are trusted',
            )


def sandbox_for(models: Iterable[Model], folder: Path) -> Sandbox | None:
    """Return what a worker that will hold these models, one after the other, is confined to; None: to nothing.

    The strictest word counts, and each may read what any of them needs. ``folder`` is the worker's own.
    """
    known = list(models)
    modes = {model.sandbox for model in known}
    if not modes - {"off"}:
        return None
    wide = [os.path.realpath(path) for path in (_home(), tempfile.gettempdir(), *_FOR_TEMPORARY_FILES)]
    known_wide = wide_folders(wide)
    reads: list[str] = []
    writes = [str(folder)]
    for model in known:
        reads += [str(Path(path).absolute()) for path in model.sandbox_reads]
        writes += [str(Path(path).absolute()) for path in model.sandbox_writes]
        for path in (model.file, model.library):
            if path is not None:
                reads += _with_neighbours(str(Path(path).absolute()), known_wide)
        named = [*_texts(model.options), *(part for value in model.env.values() for part in value.split(":"))]
        reads += [path for path in named if path.startswith("/") and not is_wide(path, known_wide)]
    return Sandbox("strict" if "strict" in modes else "files", reads, writes, wide)


def _home() -> str:
    return os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none


def _with_neighbours(path: str, wide: frozenset[Folder]) -> Iterator[str]:
    """Yield a model's file, where it really lies, and its folder with what that links to."""
    yield path
    yield os.path.realpath(path)
    folder = path if os.path.isdir(path) else os.path.dirname(path)  # noqa: PTH112, PTH120 - texts
    if is_wide(folder, wide):
        return
    yield folder
    try:
        with os.scandir(folder) as entries:
            links = [
                entry.path
                for _, entry in zip(range(_MOST_LINKS), entries, strict=False)
                if entry.is_symlink()
            ]
    except OSError:
        return
    # A downloaded model is often a folder of links to files that lie elsewhere by their hashes.
    yield from (os.path.realpath(link) for link in links if not is_wide(link, wide))


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case os.PathLike():
            yield os.fsdecode(value)  # pyright: ignore[reportUnknownArgumentType]
        case Mapping():
            for each in value.values():  # pyright: ignore[reportUnknownVariableType]
                yield from _texts(each)
        case list() | tuple():
            for each in value:  # pyright: ignore[reportUnknownVariableType]
                yield from _texts(each)
        case _:
            return

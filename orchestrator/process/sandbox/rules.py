"""What a worker with certain models may read and write, besides what any Python needs.

Its models' files, with the folders these lie in (splits, tokenizers), what their options and their ``env`` name by an
absolute path, and what ``sandbox_reads`` and ``sandbox_writes`` say. A folder that holds other things too (the home
folder, one above it, one for temporary files) is never taken for a model's: then the file alone is allowed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.config.model import Model
from orchestrator.config.profile import LIBRARY_BESIDE_THE_FILE, LIBRARY_VARIABLE
from orchestrator.process.host.passed_environment import passed_environment
from orchestrator.process.sandbox.modes import mode_of
from orchestrator_worker.protocol import Sandbox
from orchestrator_worker.sandbox.readable import Folder, is_wide, wide_folders

_GGML_PLACES = ("../build/lib", "../build/bin", "../lib", "../build")
"""Where ggml's libraries may lie beside the folder of chatllm's, as the engine looks for them."""
_FOR_TEMPORARY_FILES = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 - never written to here
_MOST_LINKS = 1000


def sandbox_for(models: Iterable[Model], folder: Path) -> Sandbox | None:
    """Return what a worker that will hold these models, one after the other, is confined to; None: to nothing.

    The strictest word counts, and each may read what any of them needs. ``folder`` is the worker's own.
    """
    known = list(models)
    modes = {mode_of(model) for model in known}
    if not modes - {"off"}:
        return None
    wide = wide_places()
    known_wide = wide_folders(wide)
    reads: list[str] = []
    writes = [str(folder)]
    for model in known:
        reads += [str(Path(path).absolute()) for path in model.sandbox_reads]
        writes += [str(Path(path).absolute()) for path in model.sandbox_writes]
        for path in (model.file, model.library):
            if path is not None:
                reads += _with_neighbours(str(Path(path).absolute()), known_wide)
        if model.engine == "chatllm":
            reads += _for_chatllm(model, known_wide)
        named = [*_texts(model.options), *(part for value in model.env.values() for part in value.split(":"))]
        reads += [path for path in named if path.startswith("/") and not is_wide(path, known_wide)]
    return Sandbox("strict" if "strict" in modes else "files", reads, writes, wide)


def _for_chatllm(model: Model, wide: frozenset[Folder]) -> Iterator[str]:
    """Yield where the library lies that nobody has named, ggml's beside it, and the ffmpeg that it will run."""
    environ = {**passed_environment(model.pass_env), **model.env}
    library = model.library or environ.get(LIBRARY_VARIABLE, "").strip() or LIBRARY_BESIDE_THE_FILE
    library = os.path.abspath(library)  # noqa: PTH100 - links stay
    yield from _with_neighbours(library, wide)
    folder = os.path.dirname(library)  # noqa: PTH120
    for place in _GGML_PLACES:
        path = os.path.normpath(f"{folder}/{place}")
        if not is_wide(path, wide):
            yield path
    if ffmpeg := shutil.which("ffmpeg", path=environ.get("PATH", os.defpath)):
        yield from _with_neighbours(os.path.abspath(ffmpeg), wide)  # noqa: PTH100


def wide_places() -> list[str]:
    """Return the real paths of the folders that are never taken for a model's, nor for one of modules."""
    return [os.path.realpath(path) for path in (_home(), tempfile.gettempdir(), *_FOR_TEMPORARY_FILES)]


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

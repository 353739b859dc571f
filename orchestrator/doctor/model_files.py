"""Check the model files: whether they exist, their size in bytes and their SHA-256."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.config.model import BoundModel
from orchestrator.config.sizes import format_size
from orchestrator.doctor.finding import Finding
from orchestrator.experiments.running.how_to_get import get_model_file
from orchestrator.experiments.storage.file_hashes import HashCache

HASH_CHARACTERS = 12
"""Shown to people; programs get all 64."""


def look_at_models(
    models: Iterable[BoundModel], hashes: HashCache, *, hash_files: bool, folder: Path
) -> list[Finding]:
    """Return a finding for each model that has a file (or a folder) of its own.

    Files are read only with ``hash_files``; else a hash is shown where one is remembered.
    """
    return [
        _model(model, hashes, hash_files=hash_files, folder=folder)
        for model in models
        if model.file is not None
    ]


def size_bytes(path: Path) -> int:
    """Return the size of a file, or of all files in a folder.

    Raises:
        OSError: There is no such path, or it cannot be looked into.
    """
    if path.is_dir():
        return sum(child.stat().st_size for child in path.rglob("*") if child.is_file())
    return path.stat().st_size


def _model(model: BoundModel, hashes: HashCache, *, hash_files: bool, folder: Path) -> Finding:
    path = Path(model.file or "")
    try:
        size = size_bytes(path)
    except FileNotFoundError:
        return Finding("models", model.name, "problem", f"{path} is not there", get_model_file(model, folder))
    except OSError as error:
        found = f"{path} cannot be read: {error.strerror or error}"
        return Finding("models", model.name, "problem", found, f"make it readable: chmod -R a+rX '{path}'")
    if size == 0:
        return Finding("models", model.name, "problem", f"{path} is empty", get_model_file(model, folder))
    digest = _digest(str(path), hashes, hash_files=hash_files)
    shown = f"sha256 {digest[:HASH_CHARACTERS]}…" if digest else "not hashed (--hash does)"
    found = f"{path}, {format_size(size)}, {shown}"
    facts = {"path": str(path), "size_bytes": size, "sha256": digest}
    return Finding("models", model.name, "ok", found, facts=facts)


def _digest(path: str, hashes: HashCache, *, hash_files: bool) -> str | None:
    if not hash_files:
        return hashes.remembered(path)
    hashed = hashes.hash_files([path])
    return hashed[0].sha256 if hashed else None

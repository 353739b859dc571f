"""Outputs that are written once and whole, whenever the process is killed.

The order is: temporary file with all bytes on disk, then the journal's ``writing`` with the hash of what is to be
there, then the rename, then ``done``. After a kill the hash says which of the two is there: the output (then it
is done), the temporary file (then only the rename is missing), or neither (then the work begins anew).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.errors import ResultsError


def stage(outputs: Mapping[Path, bytes]) -> dict[str, str]:
    """Write each output beside its place and return the SHA-256 of each by its path.

    Raises:
        ResultsError: One cannot be written; says why. None is in place then.
    """
    for path, content in outputs.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(_beside(path), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            discard(map(str, outputs))
            raise ResultsError(
                f"cannot write {path}: {error.strerror or error}; see to it, then go on"
            ) from error
    return {str(path): hashlib.sha256(content).hexdigest() for path, content in outputs.items()}


def put_in_place(hashes: Mapping[str, str]) -> bool:
    """Finish what was staged, as far as it still is to be done; False if any of it is lost.

    Raises:
        ResultsError: A file cannot be renamed; says why.
    """
    for name, wanted in hashes.items():
        path = Path(name)
        staged = _beside(path)
        try:
            if _sha256(staged) == wanted:
                staged.replace(path)
            elif _sha256(path) != wanted:
                return False
        except OSError as error:
            raise ResultsError(
                f"cannot write {path}: {error.strerror or error}; see to it, then go on"
            ) from error
    return True


def discard(names: Iterable[str]) -> None:
    """Remove what was staged and not put in place."""
    for name in names:
        with contextlib.suppress(OSError):
            _beside(Path(name)).unlink()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def _sha256(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None

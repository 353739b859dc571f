"""Outputs that are written once and whole, whenever the process is killed.

The order is: temporary file with all bytes on disk, then the journal's ``writing`` with the hash of what is to be
there, then the rename, then ``done``. After a kill the hash says which of the two is there: the output (then it
is done), the temporary file (then only the rename is missing), or neither (then the work begins anew).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.errors import OrchestratorError, ResultsError

_OF_THE_NAME = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EILSEQ, errno.EINVAL}
"""What is wrong with one output's name; anything else would hit the others as well."""


def stage(outputs: Mapping[Path, bytes]) -> dict[str, str]:
    """Write each output beside its place and return the SHA-256 of each by its path.

    Raises:
        OrchestratorError: The name of one cannot be had: too long, or a folder has it.
        ResultsError: One cannot be written; says why. None is in place then.
    """
    for path, content in outputs.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with open(_beside(path), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            discard(map(str, outputs))
            raise _problem(path, error) from error
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
                _keep_name(path.parent)
            elif _sha256(path) != wanted:
                return False
        except OSError as error:
            raise _problem(path, error) from error
    return True


def discard(names: Iterable[str]) -> None:
    """Remove what was staged and not put in place."""
    for name in names:
        with contextlib.suppress(OSError):
            _beside(Path(name)).unlink()


def _problem(path: Path, error: OSError) -> OrchestratorError:
    said = f"cannot write {path}: {error.strerror or error}"
    if error.errno in _OF_THE_NAME:
        return OrchestratorError(f"{said}; give this recording another name, or move away what stands there")
    return ResultsError(f"{said}; see to it, then go on")


def _keep_name(folder: Path) -> None:
    """Have the rename on disk, too: after a power cut the journal must not say more than is there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot do it for folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def _sha256(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None

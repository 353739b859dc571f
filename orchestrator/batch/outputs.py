"""Outputs that are written once and whole, whenever the process is killed.

The order is: temporary file with all bytes on disk, then the journal's ``writing`` with the hash of what is to be
there, then the rename, then ``done``. After a kill the hash says which of the two is there: the output (then it
is done), the temporary file (then only the rename is missing), or neither (then the work begins anew). The temporary
file's name comes from the hash, so nobody can prepare it, and no link is followed on the way there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.errors import OrchestratorError, ResultsError
from orchestrator.files.safe_places import folder_below, write_new

_OF_THE_NAME = {
    errno.ENAMETOOLONG,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EILSEQ,
    errno.EINVAL,
    errno.ELOOP,
}
"""What is wrong with one output's name; anything else would hit the others as well."""
_MARK_LETTERS = 16


def stage(outputs: Mapping[Path, bytes], root: Path | None = None) -> dict[str, str]:
    """Write each output beside its place and return the SHA-256 of each by its path.

    Outputs stay below ``root``: a link on the way from there is not followed. None trusts the whole path.

    Raises:
        OrchestratorError: The name of one cannot be had: too long, or a folder or a link has it.
        ResultsError: One cannot be written; says why. None is in place then.
    """
    hashes = {path: hashlib.sha256(content).hexdigest() for path, content in outputs.items()}
    for path, content in outputs.items():
        try:
            with folder_below(root or path.parent, path.parent, make=True) as folder:
                if path.is_dir() and not path.is_symlink():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                write_new(_beside(path, hashes[path]), content, folder=folder)
        except OSError as error:
            discard(map(str, outputs))
            raise _problem(path, error) from error
    return {str(path): sha256 for path, sha256 in hashes.items()}


def put_in_place(hashes: Mapping[str, str], root: Path | None = None) -> bool:
    """Finish what was staged, as far as it still is to be done; False if any of it is lost.

    Raises:
        ResultsError: A file cannot be renamed; says why.
    """
    for name, wanted in hashes.items():
        path = Path(name)
        staged = _beside(path, wanted)
        try:
            with folder_below(root or path.parent, path.parent) as folder:
                if _sha256(staged, folder) == wanted:
                    os.rename(staged, path.name, src_dir_fd=folder, dst_dir_fd=folder)
                    _keep_name(folder)
                elif _sha256(path.name, folder) != wanted:
                    return False
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _problem(path, error) from error
    return True


def discard(names: Iterable[str]) -> None:
    """Remove what was staged and not put in place."""
    for name in names:
        path = Path(name)
        start = f".{path.name}."
        with contextlib.suppress(OSError):
            for entry in os.scandir(path.parent):
                mark = entry.name.removeprefix(start).removesuffix(".tmp")
                if entry.name == f"{start}{mark}.tmp" and len(mark) == _MARK_LETTERS:
                    os.unlink(entry.path)  # noqa: PTH108 - a name from scandir


def _problem(path: Path, error: OSError) -> OrchestratorError:
    said = f"cannot write {path}: {error.strerror or error}"
    if error.errno in _OF_THE_NAME:
        return OrchestratorError(f"{said}; give this recording another name, or move away what stands there")
    return ResultsError(f"{said}; see to it, then go on")


def _keep_name(folder: int) -> None:
    """Have the rename on disk, too: after a power cut the journal must not say more than is there."""
    with contextlib.suppress(OSError):  # some file systems cannot do it for folders
        os.fsync(folder)


def _beside(path: Path, sha256: str) -> str:
    return f".{path.name}.{sha256[:_MARK_LETTERS]}.tmp"


def _sha256(name: str, folder: int) -> str | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link is no output of ours
            return None
        raise
    with open(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

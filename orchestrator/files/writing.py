"""Write whole files so that a reader never meets half of one, and say why one cannot be written.

A file that is replaced as a whole goes to a temporary name in the same folder first, one that nobody can foresee;
what a ``kill -9`` leaves of it is swept an hour later or after.
Append-only files are :mod:`orchestrator.experiments.storage.entry_log`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.files.safe_places import folder_below, open_new, sweep_temporary, temporary_name, write_new

RESULTS = "--results DIR"
RESUME = "go on with --resume"
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file size limit (ulimit -f) is reached",
}
_WHAT_TO_DO = {
    errno.EACCES: "make it writable or choose --results DIR",
    errno.EPERM: "make it writable or choose --results DIR",
    errno.EROFS: "the file system is read-only: choose --results DIR",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away or choose --results DIR",
    errno.EEXIST: "a file stands where a folder is needed: move it away or choose --results DIR",
    errno.EISDIR: "a folder stands where a file is needed: move it away",
    errno.ENAMETOOLONG: "the name is too long: choose --results DIR",
}


def write_problem(
    path: Path, error: OSError, safe: str = "", *, elsewhere: str = RESULTS, go_on: str = RESUME
) -> ResultsError:
    """Return the error to raise when ``path`` could not be written.

    ``safe`` says what is on disk already, such as ``everything up to exp2/recreate iteration 41``, ``elsewhere`` what a
    user chooses to write to another place, and ``go_on`` how to go on once there is room.
    """
    kept = f"; {safe} is safe" if safe else ""
    if error.errno in _FULL:
        return ResultsError(f"cannot write {path}: {_FULL[error.errno]}{kept}; make room and {go_on}")
    what_to_do = _WHAT_TO_DO.get(error.errno or 0, f"see to it, or choose {RESULTS}").replace(
        RESULTS, elsewhere
    )
    whose = whose_it_is(path) if error.errno in {errno.EACCES, errno.EPERM} else ""
    return ResultsError(f"cannot write {path}: {error.strerror or error}{whose}{kept}; {what_to_do}")


def whose_it_is(path: Path) -> str:
    """Say who owns ``path`` (or the nearest folder above it) when that is not us, and how to be them.

    The usual case is a folder mounted into a container that runs as somebody else. Empty when it is ours.
    """
    place = path
    while place != place.parent:
        try:
            owner = place.stat()
        except OSError:
            place = place.parent
            continue
        if owner.st_uid == os.geteuid():
            return ""
        return (
            f" ({place} belongs to user {owner.st_uid}, this is user {os.geteuid()}; "
            f"in a container: docker run --user {owner.st_uid}:{owner.st_gid})"
        )
    return ""


def to_json(value: Any) -> bytes:
    """Encode ``value`` (built-in types and msgspec structs) as one line of JSON.

    File names and a worker's output may hold bytes that are no UTF-8 (lone surrogates): they are
    replaced, because a run must not be lost over them.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(value)))


def to_readable_json(value: Any) -> bytes:
    """Encode ``value`` as JSON with two spaces of indentation and a final newline."""
    return msgspec.json.format(to_json(value), indent=2) + b"\n"


def write_atomically(path: Path, content: bytes, *, elsewhere: str = RESULTS, go_on: str = RESUME) -> None:
    """Replace ``path`` by ``content``: afterwards it holds the old or the new content, never a mixture.

    Raises:
        ResultsError: It cannot be written; the old content is untouched.
    """
    sweep_temporary(path.parent)
    temporary = path.with_name(temporary_name(path.name))
    try:
        with folder_below(path.parent, path.parent) as folder:
            write_new(temporary.name, content, folder=folder)
        os.replace(temporary, path)  # noqa: PTH105  (the atomic call itself, by its own name)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        safe = "its former content" if path.is_file() else ""
        raise write_problem(path, error, safe, elsewhere=elsewhere, go_on=go_on) from error


@contextlib.contextmanager
def written_anew(path: Path, *, elsewhere: str = RESULTS, go_on: str = RESUME) -> Generator[BinaryIO]:
    """Give a file to write piece by piece; it takes the place of ``path`` when the ``with`` block has ended well.

    After any error, and after a kill, ``path`` is what it was. Every ``OSError`` of the block counts as one of writing.

    Raises:
        ResultsError: It cannot be written; the old content is untouched.
    """
    sweep_temporary(path.parent)
    temporary = path.with_name(temporary_name(path.name))
    try:
        with open(open_new(temporary), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105  (the atomic call itself, by its own name)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        safe = "its former content" if path.is_file() else ""
        raise write_problem(path, error, safe, elsewhere=elsewhere, go_on=go_on) from error


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, dict):
        table = cast("Mapping[object, object]", value)
        return {_without_surrogates(key): _without_surrogates(item) for key, item in table.items()}
    return value

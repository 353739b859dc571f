"""SHA-256 of everything a measurement depends on: models, libraries, samples, experiments.toml.

Models have gigabytes, so the hash of a big file is remembered in ``results/.hashes.json`` for as long as
its size and its time of change stay what they were. Small files are always read.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from orchestrator.config.types import Plan
from orchestrator.errors import ResultsError
from orchestrator.files.reading import read_regular
from orchestrator.files.untrusted import UNREADABLE
from orchestrator.files.writing import to_readable_json, write_atomically

_BIG_BYTES = 16 * 1024 * 1024


class HashedFile(msgspec.Struct, frozen=True):
    """A file (or a folder of files) as it was when the run began."""

    path: str
    size_bytes: int
    sha256: str


class _Remembered(msgspec.Struct, frozen=True):
    size_bytes: int
    mtime_ns: int
    sha256: str


def files_of(plan: Plan) -> list[str]:
    """Return the paths of all files that ``plan`` names, each once, in the order of their first use."""
    paths = [plan.file]
    for experiment in plan.experiments:
        for step in experiment.steps:
            paths += [step.model.file or "", step.model.library or ""]
            if step.sample is not None:
                paths += [step.sample.audio, step.sample.reference_file or ""]
    return list(dict.fromkeys(filter(None, paths)))


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file's content.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class HashCache:
    """Hashes files and remembers big ones.

    ``path`` is a JSON file for that; it may be missing, damaged or deleted at any time.
    """

    def __init__(self, path: Path, *, big_bytes: int = _BIG_BYTES) -> None:
        self._path = path
        self._big_bytes = big_bytes
        self._remembered = _read_remembered(path)

    def hash_files(self, paths: Iterable[str]) -> list[HashedFile]:
        """Hash each path; blocks while gigabytes are read for the first time.

        A folder is hashed as the list of its files. What is missing or unreadable is left out: the
        availability check speaks about it.
        """
        known = dict(self._remembered)
        hashed: list[HashedFile] = []
        for path in paths:
            try:
                hashed.append(self._folder(path) if Path(path).is_dir() else self._file(path))
            except OSError:
                continue
        if self._remembered != known:
            self._save()
        return hashed

    def remembered(self, path: str) -> str | None:
        """Return the hash of a big file that has not changed since it was hashed; reads none of it."""
        absolute = str(Path(path).absolute())
        try:
            status = os.stat(absolute)  # noqa: PTH116
        except OSError:
            return None
        known = self._remembered.get(absolute)
        same = known and (known.size_bytes, known.mtime_ns) == (status.st_size, status.st_mtime_ns)
        return known.sha256 if known and same else None

    def _file(self, path: str) -> HashedFile:
        absolute = str(Path(path).absolute())
        status = os.stat(absolute)  # noqa: PTH116  (also of what a symbolic link leads to)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{absolute} is no regular file")  # reading a pipe would wait for ever
        remembered = self._remembered.get(absolute)
        now = (status.st_size, status.st_mtime_ns)
        if remembered and (remembered.size_bytes, remembered.mtime_ns) == now:
            return HashedFile(path, status.st_size, remembered.sha256)
        digest = sha256_of(Path(absolute))
        if status.st_size >= self._big_bytes:
            self._remembered[absolute] = _Remembered(*now, digest)
        return HashedFile(path, status.st_size, digest)

    def _folder(self, path: str) -> HashedFile:
        total_bytes = 0
        listing = hashlib.sha256()
        for child in sorted(Path(path).rglob("*")):
            if child.is_file():
                hashed = self._file(str(child))
                total_bytes += hashed.size_bytes
                listing.update(os.fsencode(f"{hashed.sha256}  {child.relative_to(path)}\n"))
        return HashedFile(path, total_bytes, listing.hexdigest())

    def _save(self) -> None:
        try:
            write_atomically(self._path, to_readable_json(self._remembered))
        except ResultsError:
            return  # only time is lost; whatever ails the folder is told by what must be written there


def _read_remembered(path: Path) -> dict[str, _Remembered]:
    try:
        return msgspec.json.decode(read_regular(path), type=dict[str, _Remembered])
    except (OSError, *UNREADABLE):
        return {}

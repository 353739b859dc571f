"""``results/runs/<id>/located.json``: where the run's leaks are, and memray's flame graphs beside it.

::

    located.json                  the answers of ``orchestrator locate``, one for each method
    located/exp2-restart.html     memray's own page about the same trace, where memray has made one

A run may come from a stranger: whatever is in the file is bounded, and its names lead to no other file.
"""

from __future__ import annotations

import hashlib
import math
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.analysis.locating.located import Located
from orchestrator.errors import ResultsError
from orchestrator.files.reading import read_regular
from orchestrator.files.safe_places import folder_below
from orchestrator.files.untrusted import UNREADABLE
from orchestrator.files.writing import to_readable_json, write_atomically, write_problem

LOCATED_NAME = "located.json"
FLAMES_FOLDER = "located"
STORED_SCHEMA = 1
MOST_BYTES = 64 * 1024**2
MOST_VALUES = 2_000_000
"""Values in a file, names of keys not counted: a thousand sites with a hundred frames each have half of it."""
LONGEST_TEXT = 65_536
_LARGEST = 2**62
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,79}")


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's content."""

    schema: int
    answers: list[Located]


def read_located(run: Path) -> list[Located]:
    """Return the answers that are kept in a run's folder; empty where nothing was located.

    Raises:
        ResultsError: The file is unreadable, damaged, too large, or of a newer schema.
    """
    path = run / LOCATED_NAME
    try:
        content = read_regular(path, most_bytes=MOST_BYTES + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    try:
        return _checked(content).answers
    except (*UNREADABLE, ValueError) as error:
        raise ResultsError(
            f"{path}: damaged, or no answers of ours ({str(error)[:200]}); locate again"
        ) from error


def write_located(run: Path, answers: Sequence[Located]) -> Path:
    """Keep answers in a run's folder, each in the place of an earlier one of its method; return the file.

    Raises:
        ResultsError: It cannot be written; an earlier one is untouched.
    """
    try:
        known = read_located(run)
    except ResultsError:
        known = []  # one that nobody can read says nothing
    newer = {(each.name, each.method): each for each in answers}
    kept = {(each.name, each.method): each for each in known} | newer
    path = run / LOCATED_NAME
    write_atomically(path, to_readable_json(Stored(STORED_SCHEMA, list(kept.values()))))
    return path


def flame_graph_path(run: Path, experiment: str, method: str) -> Path:
    """Return where the flame graph of one method lies, whatever the names are: always in the run's own folder."""
    name = f"{experiment}-{method}"
    if _PLAIN.fullmatch(name) is None:
        digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9_@-]", "_", name)[:60] + f"-{digest}"
    return run / FLAMES_FOLDER / f"{name}.html"


def make_flames_folder(run: Path) -> None:
    """Make the folder of flame graphs.

    Raises:
        ResultsError: It cannot be made, or is a link to another.
    """
    folder = run / FLAMES_FOLDER
    try:
        with folder_below(run, folder, make=True):
            return
    except OSError as error:
        raise write_problem(folder, error) from error


def flame_graph_of(run: Path, experiment: str, method: str) -> Path | None:
    """Return the flame graph of one method, if it is there as a file of its own and not as a link to another."""
    path = flame_graph_path(run, experiment, method)
    try:
        real = stat.S_ISREG(path.lstat().st_mode) and stat.S_ISDIR(path.parent.lstat().st_mode)
    except (OSError, ValueError):
        return None
    return path if real else None


def _checked(content: bytes) -> Stored:
    """Read the file's content.

    Raises:
        ValueError: It is beyond what we write, or of another schema.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES // 1024**2} MiB")
    document = msgspec.json.decode(content)
    _check(document)
    stored = msgspec.convert(document, Stored)
    if stored.schema != STORED_SCHEMA:
        raise ValueError(f"schema {stored.schema}, and this version reads {STORED_SCHEMA}")
    return stored


def _check(document: Any) -> None:
    """Go through all values: how many, how long, how large.

    Raises:
        ValueError: One is beyond what we write.
    """
    left, many = [document], 0
    while left:
        value = left.pop()
        many += 1
        if many > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES:,} values")
        if isinstance(value, dict):
            left += value.values()  # pyright: ignore[reportUnknownArgumentType,reportUnknownMemberType]
        elif isinstance(value, list):
            left += value  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, str) and len(value) > LONGEST_TEXT:
            raise ValueError(f"a text of {len(value):,} characters")
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a number that is not finite")
        elif isinstance(value, int | float) and abs(value) > _LARGEST:
            raise ValueError("a number beyond any memory")

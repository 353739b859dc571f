"""What outputs are called: names that stay below the output folder, differ, and can be written anywhere.

A name is the path of an output below the output folder, without its ending. Bytes of a file name that are no
UTF-8 become ``\ufffd``, and a part that would be too long for a file system with its ending is cut.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path, PurePosixPath

LONGEST_PART_BYTES = 224
"""Of the 255 that file systems take; the rest is for the ending and the mark of a file that is being written."""


def stem_of(path: Path) -> str:
    """Return the name of a recording by itself."""
    return path.stem or path.name


def inside(name: str) -> str:
    """Return a name that stays below the output folder."""
    parts = [_writable(part) for part in PurePosixPath(name).parts if part not in {"/", "..", "."}]
    return "/".join(parts) or "unnamed"


def free_name(wanted: str, path: Path, taken: AbstractSet[str]) -> str:
    """Return ``wanted``, or where that is taken, the file's name with as many of its folders as tell it apart.

    ``taken`` has names in lower case (``str.casefold``): some file systems do not tell the cases apart.
    """
    name = inside(wanted)
    if name.casefold() in taken:  # same.wav and same.mp3: the whole name tells them apart, in the same folder
        name = inside(str(PurePosixPath(name).with_name(path.name)))
    parts = (path.name, *path.parts[-2:0:-1])
    for depth in range(1, len(parts) + 1):
        if name.casefold() not in taken:
            return name
        name = inside("/".join(reversed(parts[:depth])))
    return numbered(name, taken)


def numbered(name: str, taken: AbstractSet[str]) -> str:
    """Return ``name``, or ``name-2``, ``name-3`` …: the first that is not taken (see :func:`free_name`)."""
    free, number = name, 2
    while free.casefold() in taken:
        free = f"{name}-{number}"
        number += 1
    return free


def _writable(part: str) -> str:
    shown = part.encode(errors="surrogateescape").decode(errors="replace")
    return shown.encode()[:LONGEST_PART_BYTES].decode(errors="ignore")

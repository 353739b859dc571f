"""Where documents go: one file each, named after the recording, written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from orchestrator.files.output_place import refuse_special
from orchestrator.files.safe_places import folder_below
from orchestrator.files.writing import write_atomically, write_problem
from orchestrator.pipeline.document import Document
from orchestrator.pipeline.subtitles import FORMATS, ReadingSpeed, render

ELSEWHERE = "another --out"
GO_ON = "give the command again"


def format_of(path: Path) -> str | None:
    """Return the format that a file name's ending stands for."""
    ending = path.suffix.lower().removeprefix(".")
    return ending if ending in FORMATS else None


def output_paths(sources: Sequence[Path], folder: Path, format_name: str) -> dict[Path, Path]:
    """Return the file of each recording: its name with the format's ending.

    Recordings of the same name keep what tells them apart, first their own ending, then as much of their path as it
    takes, so that no output overwrites another, whether or not the file system tells upper from lower case.
    """
    places = {source: Path(os.path.abspath(source)) for source in sources}  # noqa: PTH100 - without reading links
    for depth in range(max(len(place.parts) for place in places.values())):
        tails = {place: _tail(place, depth, format_name) for place in places.values()}
        if len({str(tail).casefold() for tail in tails.values()}) == len(tails):
            return {source: folder / tails[place] for source, place in places.items()}
    tails = {
        place: Path(f"{number}-{place.name}.{format_name}")
        for number, place in enumerate(dict.fromkeys(places.values()), 1)
    }
    return {source: folder / tails[place] for source, place in places.items()}


def _tail(place: Path, depth: int, format_name: str) -> Path:
    if not depth:
        return Path(f"{place.stem or 'unnamed'}.{format_name}")
    parts = place.parts[1:][-depth:] or ("unnamed",)
    return Path(*parts[:-1], f"{parts[-1]}.{format_name}")


def make_writable(path: Path, below: Path | None = None) -> None:
    """Make the folder of an output, and see that the output can be written there, before hours of work go into it.

    Below ``below``, the folder that was named, a link in the place of a folder is refused: the output would leave it.

    Raises:
        ResultsError: It cannot; says why.
    """
    try:
        with folder_below(below or path.parent, path.parent, make=True):
            pass
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        refuse_special(path)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise write_problem(path, error, elsewhere=ELSEWHERE, go_on=GO_ON) from error


def partial_path(path: Path) -> Path:
    """Return where an output grows while its recording is worked on."""
    return path.with_name(f"{path.name}.partial")


def write_partial(
    document: Document, path: Path, format_name: str, layout: ReadingSpeed | None = None
) -> None:
    """Write what there is of a document beside its place.

    Raises:
        ResultsError: It cannot be written; says why.
    """
    content = render(document, format_name, layout).encode(errors="replace")
    write_atomically(partial_path(path), content, elsewhere=ELSEWHERE, go_on=GO_ON)


def write_document(
    document: Document, path: Path, format_name: str, layout: ReadingSpeed | None = None
) -> None:
    """Write a document to a file; folders are made. What had grown of it is replaced, then renamed.

    Raises:
        ResultsError: It cannot be written; says why.
    """
    make_writable(path)
    write_partial(document, path, format_name, layout)
    try:
        partial_path(path).replace(path)
    except OSError as error:
        raise write_problem(path, error, elsewhere=ELSEWHERE, go_on=GO_ON) from error

"""Where documents go: one file each, named after the recording, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.files.writing import write_atomically
from orchestrator.pipeline.document import Document
from orchestrator.pipeline.subtitles import FORMATS, render


def format_of(path: Path) -> str | None:
    """Return the format that a file name's ending stands for."""
    ending = path.suffix.lower().removeprefix(".")
    return ending if ending in FORMATS else None


def output_paths(sources: Sequence[Path], folder: Path, format_name: str) -> dict[Path, Path]:
    """Return the file of each recording: its name with the format's ending.

    Recordings of the same name in different folders keep as much of their path as tells them apart, so that no
    output overwrites another.
    """
    depth = 1
    while True:
        named = {source: folder / _tail(source, depth, format_name) for source in sources}
        if len(set(named.values())) == len(set(sources)) or depth > max(len(s.parts) for s in sources):
            return named
        depth += 1


def _tail(source: Path, depth: int, format_name: str) -> Path:
    parts = [part for part in source.parts[-depth:] if part not in {"/", "..", "."}]
    return Path(*parts[:-1], f"{parts[-1]}.{format_name}" if depth > 1 else f"{source.stem}.{format_name}")


def write_document(document: Document, path: Path, format_name: str) -> None:
    """Write a document to a file; folders are made.

    Raises:
        ResultsError: It cannot be written; says why.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, render(document, format_name).encode(errors="replace"))

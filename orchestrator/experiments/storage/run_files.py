"""The names of the two files of a run's folder, and how the folder is known by them; nothing is read here."""

from __future__ import annotations

from pathlib import Path

MANIFEST_NAME = "manifest.json"
ENTRIES_NAME = "iterations.jsonl"


def is_run_folder(path: Path) -> bool:
    """Whether ``path`` is the folder of one run."""
    return (path / MANIFEST_NAME).is_file() and path.is_dir()

"""What has changed since a recording was finished: its input, or that its outputs are gone."""

from __future__ import annotations

import hashlib
from pathlib import Path

from orchestrator.batch.journal import Entry, Journal


def look_at(path: str) -> tuple[int, int]:
    """Return a file's size in bytes and its time of change in nanoseconds; zeros when there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def changed_inputs(journal: Journal) -> list[Entry]:
    """Return the ended recordings whose bytes are others than those that were worked on.

    Size and time of change are looked at first; only when they differ the file is read, and once: one that was only
    touched gets its new time noted. An input that is gone has not changed: what was made of it stays.
    """
    ended = journal.in_state("done", "failed", "poisoned")
    return [entry for entry in ended if _has_changed(journal, entry)]


def lost_outputs(journal: Journal) -> list[Entry]:
    """Return the finished recordings of which an output is not there any more."""
    return [
        entry for entry in journal.in_state("done") if not all(Path(name).is_file() for name in entry.outputs)
    ]


def _has_changed(journal: Journal, entry: Entry) -> bool:
    seen = look_at(entry.path)
    if seen in {(entry.size, entry.mtime_ns), (0, 0)}:
        return False
    try:
        with open(entry.path, "rb") as file:
            changed = hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256
    except OSError:
        return False
    if not changed:
        journal.seen_anew(entry, seen)
    return changed

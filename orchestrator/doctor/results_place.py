"""Check the results folder: whether it can be written, and how much space is left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from orchestrator.config.sizes import format_size
from orchestrator.doctor.finding import Finding
from orchestrator.files.writing import whose_it_is

LEAST_BYTES = 100 * 1024 * 1024
COMFORTABLE_BYTES = 1024 * 1024 * 1024


def look_at_results(folder: Path) -> list[Finding]:
    """Return findings about ``folder``, which need not exist yet. Nothing is written."""
    place = _nearest(folder)
    if not os.access(place, os.W_OK | os.X_OK):
        found = f"{place} cannot be written{whose_it_is(place)}"
        hint = "make it writable, or choose --results DIR"
        return [Finding("results", "folder", "problem", found, hint)]
    if not place.is_dir():
        return [Finding("results", "folder", "problem", f"{place} is a file", "move it away")]
    free = shutil.disk_usage(place).free
    facts = {"path": str(folder), "free_bytes": free}
    found = f"{format_size(free)} free at {folder}"
    if free < LEAST_BYTES:
        return [Finding("results", "disk", "problem", found, "make room, or choose --results DIR", facts)]
    if free < COMFORTABLE_BYTES:
        hint = "a lower keep_runs keeps fewer runs' raw data"
        return [Finding("results", "disk", "note", found, hint, facts)]
    return [Finding("results", "disk", "ok", found, facts=facts)]


def _nearest(folder: Path) -> Path:
    """Return the folder itself, or its nearest parent that exists."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place

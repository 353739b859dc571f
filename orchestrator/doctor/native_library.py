"""Check ``libchatllm``: whether it exists, its age, and whether it exports what the engine calls. It is not loaded."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orchestrator.config.model import BoundModel
from orchestrator.config.profile import LIBRARY_VARIABLE
from orchestrator.config.sizes import format_size
from orchestrator.doctor.elf_symbols import NotAnElfFileError, exported_functions, processor
from orchestrator.doctor.finding import Finding
from orchestrator.experiments.running.how_to_get import build_library

NEEDED = (
    "chatllm_create",
    "chatllm_append_param",
    "chatllm_start",
    "chatllm_user_input",
    "chatllm_restart",
    "chatllm_abort_generation",
    "chatllm_get_cursor",
)
DESTROY = "chatllm_destroy"


def look_at_libraries(models: Iterable[BoundModel], folder: Path, now: dt.datetime) -> list[Finding]:
    """Return findings about each library that ``models`` name; ``folder`` has the checkout, if any."""
    paths = dict.fromkeys(model.library for model in models if model.library)
    return [finding for path in paths for finding in _library(Path(path), folder, now)]


def _library(path: Path, folder: Path, now: dt.datetime) -> list[Finding]:
    try:
        status = path.stat()
        functions = exported_functions(path)
    except FileNotFoundError:
        return [Finding("library", path.name, "problem", f"{path} is not there", _build(path, folder))]
    except (OSError, NotAnElfFileError) as error:
        said = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        return [Finding("library", path.name, "problem", f"{path}: {said}", _build(path, folder))]
    built = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
    age_days = max(0, (now - built).days)
    facts: dict[str, Any] = {
        "path": str(path),
        "size_bytes": status.st_size,
        "built": built.isoformat(timespec="seconds"),
        "age_days": age_days,
        "destroy": DESTROY in functions,
    }
    built_for, here = processor(path), processor(Path(sys.executable))
    if here is not None and built_for != here:
        found = f"{path} is built for {built_for}, and this Python is for {here}"
        return [Finding("library", path.name, "problem", found, _build(path, folder), facts)]
    lacking = [name for name in NEEDED if name not in functions]
    if lacking:
        found = f"{path} lacks {', '.join(lacking)}: it is another library, or a very old build"
        return [Finding("library", path.name, "problem", found, _build(path, folder), facts)]
    found = f"{path}, {format_size(status.st_size)}, built {built:%Y-%m-%d} ({_days(age_days)} ago)"
    return [
        Finding("library", path.name, "ok", found, facts=facts),
        _destroy(there=DESTROY in functions, folder=folder),
    ]


def _destroy(*, there: bool, folder: Path) -> Finding:
    if there:
        found = f"{DESTROY} is there; where it aborts, as upstream's does, recreate abandons models"
        return Finding("library", "destroy", "ok", found)
    found = (
        f"{DESTROY} is missing: an old build; memory comes back only when the process ends, as with recycle"
    )
    return Finding("library", "destroy", "note", found, _build(Path(), folder))


def _build(path: Path, folder: Path) -> str:
    """Return the command that builds a library in the checkout; filling that comes first where it is empty."""
    command = build_library(folder)
    if path.name and not path.is_relative_to(folder):
        return f"set {LIBRARY_VARIABLE} (or `library`) to a library that is there, or: {command}"
    return command


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"

"""Draw every picture of the pages again: the drawings in docs/pictures, and exp2 from its record.

    python docs/draw.py            # writes the files that have changed, and names them

A test compares the committed files with what this makes.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).resolve().parent
DRAWINGS = ("worker_and_parent", "life_of_a_worker", "what_rss_is_made_of", "warm_starts", "located_leak")
"""Modules of ``pictures``; each has ``draw()``."""


def made() -> dict[Path, str]:
    """Return each picture's file with what it shall hold."""
    _find_on(DOCS)
    _find_on(DOCS.parent / "benchmarks")
    pictures = {
        DOCS / "pictures" / f"{name}.svg": str(_module(f"pictures.{name}").draw()) for name in DRAWINGS
    }
    exp2 = _module("draw_readme")
    record = json.loads(exp2.RECORD.read_text("utf-8"))
    return pictures | {exp2.PICTURE: str(exp2.picture(record))}


def main() -> None:
    """Write what has changed."""
    for path, text in made().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"{path.relative_to(DOCS.parent)}\n")


def _find_on(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _module(name: str) -> ModuleType:
    return importlib.import_module(name)


if __name__ == "__main__":
    main()

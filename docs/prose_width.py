"""Prose in Markdown breaks before column 120: find lines that do not, and break them.

    python docs/prose_width.py            # prints each line that is too long; exit code 1 if there is one
    python docs/prose_width.py --write    # fills the paragraphs that have such a line again

Tables, code, headings and lines that cannot be broken (one link, one long word) are left as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

WIDTH = 120
ROOT = Path(__file__).resolve().parent.parent
_SKIPPED = frozenset({".venv", ".git", "node_modules", "_build", "chatllm.cpp", "runs"})
_FENCE = re.compile(r"\s*(```|~~~)")
_ITEM = re.compile(r"(\s*)([-*+]|\d+[.)])\s+")
_APART = re.compile(r"\s*(\||#|<|:::|\[[^\]]+\]:|\$\$|---\s*$)")
_MARKS = re.compile(r"([-*+]|\d+[.)]|>|#+)$|[#>|]")
_WORDS = re.compile(r"(?:`[^`]*`|!?\[[^\]`]*(?:`[^`]*`[^\]`]*)*\](?:\([^)]*\))?|\S)+")


def pages(root: Path = ROOT) -> list[Path]:
    """Return every Markdown file of the project, sorted."""
    return sorted(
        path for path in root.rglob("*.md") if not _SKIPPED.intersection(path.relative_to(root).parts)
    )


def too_long(text: str) -> list[int]:
    """Return the numbers (from 1) of prose lines that are longer than ``WIDTH`` and could be broken."""
    lines = text.splitlines()
    found: list[int] = []
    for first, last in _paragraphs(lines):
        block = lines[first:last]
        if any(len(line) > WIDTH for line in block) and _filled(block) != block:
            found += [first + n + 1 for n, line in enumerate(block) if len(line) > WIDTH]
    return found


def filled(text: str) -> str:
    """Return ``text`` with every paragraph filled again that has a line which is too long."""
    lines = text.splitlines()
    made: list[str] = []
    done = 0
    for first, last in _paragraphs(lines):
        block = lines[first:last]
        made += lines[done:first]
        made += _filled(block) if any(len(line) > WIDTH for line in block) else block
        done = last
    return "\n".join([*made, *lines[done:]]) + ("\n" if text.endswith("\n") else "")


def _paragraphs(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Yield where each paragraph or list item begins and ends, outside of code, tables and headings."""
    start: int | None = None
    fenced = False
    for number, line in enumerate(lines):
        fence = _FENCE.match(line) is not None
        prose = not (
            fenced or fence or not line.strip() or _APART.match(line) or _is_code(lines, number, start)
        )
        if start is not None and (not prose or _ITEM.match(line)):
            yield start, number
            start = None
        if prose and start is None:
            start = number
        fenced ^= fence
    if start is not None:
        yield start, len(lines)


def _is_code(lines: list[str], number: int, start: int | None) -> bool:
    """Whether a line is code by its indent: four columns after an empty line, outside of a list."""
    if start is not None or not lines[number].startswith("    ") or _ITEM.match(lines[number]):
        return False
    above = next((line for line in reversed(lines[:number]) if line.strip() and not line.startswith(" ")), "")
    return not _ITEM.match(above)


def _filled(block: list[str]) -> list[str]:
    item = _ITEM.match(block[0])
    first = item.group(0) if item else re.match(r"\s*", block[0]).group(0)  # type: ignore[union-attr]
    rest = " " * len(first)
    words = _WORDS.findall(" ".join([block[0][len(first) :], *(line.strip() for line in block[1:])]))
    lines = [first + words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= WIDTH or _MARKS.match(word):
            lines[-1] += f" {word}"
        else:
            lines.append(rest + word)
    return lines


def main(arguments: list[str]) -> int:
    """Check every page, or with ``--write`` repair it; return the exit code."""
    bad = 0
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if "--write" in arguments:
            if (new := filled(text)) != text:
                path.write_text(new, encoding="utf-8")
            continue
        for number in too_long(text):
            sys.stdout.write(f"{path.relative_to(ROOT)}:{number}: longer than {WIDTH} columns\n")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Prose in Markdown breaks before column 120; `python docs/prose_width.py --write` repairs what does not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def width() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prose_width", ROOT / "docs" / "prose_width.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_page_has_a_line_of_prose_beyond_the_width(width: ModuleType) -> None:
    pages = width.pages()
    assert ROOT / "README.md" in pages
    found = {str(page.relative_to(ROOT)): width.too_long(page.read_text(encoding="utf-8")) for page in pages}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_long_line_is_found_and_filled(width: ModuleType) -> None:
    text = "# Title\n\n" + "word " * 40 + "\nlast line\n"
    assert width.too_long(text) == [3]
    made = width.filled(text)
    assert max(map(len, made.splitlines())) <= width.WIDTH
    assert made.split() == text.split()
    assert width.too_long(made) == []
    assert width.filled(made) == made


@pytest.mark.parametrize(
    "text",
    [
        "| " + "cell " * 40 + "|\n",
        "```sh\n" + "word " * 40 + "\n```\n",
        "Above:\n\n    " + "code " * 40 + "\n",
        "# " + "heading " * 20 + "\n",
        "[page]: " + "long/" * 40 + "\n",
        "[a link that cannot be broken](" + "x" * 130 + ")\n",
        "`" + "code that is not broken " * 8 + "`\n",
    ],
    ids=["table", "fence", "indent", "heading", "reference", "link", "code"],
)
def test_what_cannot_be_broken_is_left_alone(width: ModuleType, text: str) -> None:
    assert width.too_long(text) == []
    assert width.filled(text) == text


def test_items_keep_their_indent_and_no_line_becomes_an_item(width: ModuleType) -> None:
    text = "- " + "word " * 23 + "and - one + more\n- second\n"
    made = width.filled(text).splitlines()
    assert made[0].startswith("- word")
    assert made[-1] == "- second"
    assert all(line.startswith("  ") for line in made[1:-1])
    assert not any(line.lstrip().startswith(("- ", "+ ")) for line in made[1:-1])

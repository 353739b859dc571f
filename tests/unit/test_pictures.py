"""The drawings of the pages: as their command makes them, readable in light and dark, and told in words."""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"
PICTURES = [*sorted((DOCS / "pictures").glob("*.svg")), DOCS / "exp2.svg"]
CHARACTER = {"small": 6.3, "bold": 8.2}
"""Width of an average character of the style's fonts, generous; of plain text it is 7.6."""


@pytest.fixture(scope="module")
def draw() -> Iterator[ModuleType]:
    """docs/draw.py; what it puts on the path, and the modules found there, are gone afterwards."""
    path, known = list(sys.path), set(sys.modules)
    spec = importlib.util.spec_from_file_location("draw", DOCS / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        yield module
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - known:
            if name.partition(".")[0] in {"pictures", "draw_readme"}:
                del sys.modules[name]


def test_the_files_are_what_the_command_makes(draw: ModuleType) -> None:
    made = draw.made()
    assert sorted(made) == sorted(PICTURES), "a drawing without a file, or a file without a drawing"
    for path, text in made.items():
        assert path.read_text("utf-8") == text, f"{path.name}: run python docs/draw.py"


def test_each_has_its_module(draw: ModuleType) -> None:
    modules = {path.stem for path in (DOCS / "pictures").glob("*.py")} - {"__init__", "canvas"}
    assert modules == set(draw.DRAWINGS)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_it_is_told_to_those_who_do_not_see_it(picture: Path) -> None:
    root = ET.parse(picture).getroot()
    named = [root.find(f".//*[@id='{name}']") for name in root.attrib["aria-labelledby"].split()]
    title, described = (element.text or "" if element is not None else "" for element in named)
    assert root.attrib["role"] == "img"
    assert 20 < len(title) < 120
    assert len(described) > len(title)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_it_is_used_with_words_of_its_own(picture: Path) -> None:
    pages = [page.read_text("utf-8") for page in DOCS.rglob("*.md") if "_build" not in page.parts]
    alts = [alt for text in pages for alt in re.findall(rf"!\[([^\]]*)\]\([\w./]*{picture.name}\)", text)]
    assert alts, "no page shows it"
    assert all(len(alt) > 20 for alt in alts)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_no_word_leaves_it_and_nothing_is_fetched(picture: Path) -> None:
    text = picture.read_text("utf-8")
    assert re.findall(r"<script|href|url\(|@import", text) == []
    root = ET.fromstring(text)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for each in root.iter(f"{SVG}text"):
        kinds = each.attrib["class"].split()
        long = len(each.text or "") * max(
            (CHARACTER[kind] for kind in kinds if kind in CHARACTER), default=7.6
        )
        before = {"start": 0.0, "middle": 0.5, "end": 1.0}[each.attrib.get("text-anchor", "start")]
        left = float(each.attrib["x"]) - long * before
        assert left >= 0, each.text
        assert left + long <= width, each.text
        assert 10 <= float(each.attrib["y"]) <= height - 4, each.text


def luminance(color: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("screen", [0, 1], ids=["light", "dark"])
def test_words_stand_out_from_what_they_stand_on(draw: ModuleType, screen: int) -> None:
    draw.made()
    canvas = sys.modules["pictures.canvas"]
    for surface in canvas.SURFACES:
        for color in canvas.WRITTEN:
            pair = sorted(luminance(canvas.PALETTE[name][screen]) for name in (surface, color))
            contrast = (pair[1] + 0.05) / (pair[0] + 0.05)
            assert contrast >= 4.5, f"{color} on {surface}: {contrast:.2f}, WCAG AA asks for 4.5"


def test_luminance_is_that_of_the_standard() -> None:
    assert luminance("#ffffff") == pytest.approx(1)
    assert luminance("#000000") == 0
    assert (1.05) / (luminance("#767676") + 0.05) == pytest.approx(4.54, abs=0.01)


def test_words_of_the_canvas_cannot_break_the_file(draw: ModuleType) -> None:
    draw.made()
    canvas = sys.modules["pictures.canvas"].Canvas(100, 50, "a < b & c", 'says "d"')
    canvas.words(1, 20, "<script>&", "ink")
    root = ET.fromstring(canvas.svg())
    assert [each.text for each in root.iter(f"{SVG}text")] == ["<script>&"]
    assert root.find(f"{SVG}title").text == "a < b & c"  # type: ignore[union-attr]

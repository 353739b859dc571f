"""The README stays short, and its picture is the one that the committed command draws from the committed record."""

from __future__ import annotations

import json
import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

TOP = Path(__file__).parents[2]
DRAWN = runpy.run_path(str(TOP / "benchmarks/draw_readme.py"))


def test_it_fits_two_screens() -> None:
    assert len((TOP / "README.md").read_text("utf-8").splitlines()) <= 150


def test_the_picture_is_the_one_drawn() -> None:
    record = json.loads((TOP / "benchmarks/results/readme_exp2.json").read_text("utf-8"))
    drawn = DRAWN["picture"](record)
    assert (TOP / "docs/exp2.svg").read_text("utf-8") == drawn, "run: python benchmarks/draw_readme.py"
    assert "docs/exp2.svg" in (TOP / "README.md").read_text("utf-8")
    root = ET.fromstring(drawn)
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    methods = {line.attrib["class"].split()[-1]: line for line in lines}
    assert set(methods) == set(record["memory_mb"])
    for method, line in methods.items():
        assert len(line.attrib["points"].split()) == len(record["memory_mb"][method])


def test_the_rates_of_the_last_screen_are_those_of_the_record() -> None:
    record = json.loads((TOP / "benchmarks/results/readme_exp2.json").read_text("utf-8"))
    text = (TOP / "README.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if " LEAK " in line]
    assert len(rows) == 2
    for key, row in zip(("recreate", "restart"), rows, strict=True):
        judged = record["summary"][key]["judgement"]
        assert f"{judged['rate_mb_per_iteration']:.2f} MB" in row
        assert f"{judged['against_baseline']['level']['above_mb']:+.0f} MB" in row

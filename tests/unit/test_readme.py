"""The README stays short, and its picture is the one that the committed command draws from the committed record."""

from __future__ import annotations

import json
import runpy
import xml.etree.ElementTree as ET
from itertools import groupby
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


def test_what_is_said_of_the_service_is_in_its_record() -> None:
    """Workers killed are those that the pool counted: a signal may reach one that is going anyway."""
    record = json.loads((TOP / "benchmarks/results/serve.json").read_text("utf-8"))
    text = " ".join((TOP / "README.md").read_text("utf-8").split())
    killed = record["ours_killed"]
    assert record["ours"]["failed"] == killed["failed"] == 0
    assert f"{record['rate_ratio']:.2f} times the requests per second of FastAPI" in text
    assert f"none of ours failed, also while {killed['exits']['killed']} workers were killed" in text


def test_why_rss_lies_says_what_the_record_of_the_readme_says() -> None:
    record = json.loads((TOP / "benchmarks/results/readme_exp2.json").read_text("utf-8"))
    text = " ".join((TOP / "docs/explanation/why-rss-lies.md").read_text("utf-8").split())
    again, kept = (record["summary"][key]["judgement"] for key in ("recreate", "restart"))
    for found, words in ((again, "per iteration. RSS rises in steps"), (kept, "in live heap")):
        assert f"{found['rate_mb_per_iteration']:.2f} MB {words}" in text
    assert "the growth comes in steps that keep coming" in again["channels"]["rss"]["reasons"]
    rate, low, high = (again[f"rss_{name}"] for name in ("rate_mb_per_iteration", "ci_low", "ci_high"))
    assert f"{rate:.2f} MB per iteration, with an interval from {low:.2f} to {high:.2f} MB" in text
    assert f"grows by {kept['rss_rate_mb_per_iteration']:.2f} MB per iteration in RSS" in text
    assert round(kept["rss_rate_mb_per_iteration"] / kept["rate_mb_per_iteration"], -1) == 30, "a thirtieth"
    memory = record["memory_mb"]["recreate"]
    flat = [len(list(same)) for _, same in groupby(memory, key=round)]
    assert f"stands still for up to {max(flat)} iterations" in text


def test_ttft_is_the_time_to_the_first_text_everywhere() -> None:
    """What is measured is the first piece of text; a token may have none."""
    said = {page: (TOP / page).read_text("utf-8") for page in ("README.md", "docs/measuring.md")}
    assert "*TTFT* (time to the first text)" in said["README.md"]
    assert "| `ttft_ms` | time to the first text:" in said["docs/measuring.md"]

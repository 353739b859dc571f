"""The figures on the page that compares us with other tools are those of recorded runs, with their commands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs/comparison.md").read_text("utf-8")


def record(name: str) -> Any:
    return json.loads((TOP / f"benchmarks/results/{name}.json").read_text("utf-8"))


def table(first: str) -> list[list[str]]:
    """Return the rows of the table whose heading begins with ``first``, without heading and rule."""
    lines = PAGE[PAGE.index(f"| {first}") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def by_pool(rows: list[list[str]], column: int) -> dict[str, str]:
    return {row[0].replace("executor,", "ProcessPoolExecutor,"): row[column] for row in rows}


def test_the_table_of_faults_is_the_recorded_one() -> None:
    recorded = {name: (lost, broken, hung) for name, lost, _, broken, hung in record("faults")["totals"]}
    shown = {row[0]: tuple(map(int, row[1:])) for row in table("pool | lost")}
    assert shown == recorded


def test_the_table_of_costs_is_the_recorded_one() -> None:
    jobs = by_pool(record("throughput")["rows"], 1)
    there_and_back = by_pool(record("roundtrip")["rows"], 1)
    fresh = by_pool(record("recycle")["fresh"]["rows"], 2)
    rows = table("pool | jobs/s")
    assert len(rows) >= 6
    for pool, per_s, wait, each in rows:
        assert per_s == jobs[pool]
        assert wait == f"{float(there_and_back[pool]):.0f} µs"
        assert each == fresh.get(pool, "–")


def test_the_table_of_leak_checks_is_the_recorded_one() -> None:
    totals = record("leak_check")["totals"]
    rows = table("tool | leaky releases")
    assert len(rows) == len(totals)
    for tool, real, made, alarms, seconds in rows:
        of = totals["ours" if tool == "`leak_check`" else tool]
        assert real == f"{of['real_found']} of {of['real']}"
        assert made == f"{of['made_found']} of {of['made']}"
        assert alarms == f"{of['false_alarms']} of {of['clean']}"
        assert float(seconds) == round(of["seconds_median"], 1)


def test_versions_and_commands_are_those_of_the_records() -> None:
    text = " ".join(PAGE.split())
    for name in ("faults", "throughput", "roundtrip", "recycle", "ray"):
        assert record(name)["command"] in text, name
    said = dict(re.findall(r"([\w-]+) (\d[\d.]*\d)(?=[,.] )", text))
    packages = {**record("faults")["host"]["packages"], **record("ray")["host"]["packages"]}
    packages |= record("leak_check")["peers"]
    for package in ("loky", "pebble", "billiard", "psleak", "memray", "pytest-memray"):
        assert said[package] == packages[package], package
    assert said["Ray"] == packages["ray"]

"""Series of very many iterations: charts get no more readings than can be seen, with both ends and every peak."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_interval_fan import series_of

from orchestrator.report.html.charts.memory_chart import memory_chart
from orchestrator.report.html.charts.readings import MOST_READINGS, thinned
from orchestrator.report.html.plain.memory_lines import memory_lines

PEAK, HOLE, LONG = 77_777, 88_888, 120_000


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(6, 60))
def test_thinning_keeps_ends_and_extremes_in_order(values: list[float], most: int) -> None:
    given_ = list(enumerate(values, 1))
    found = thinned(given_, most)
    assert len(found) <= max(most, 6)
    assert found == sorted(set(found))
    assert set(found) <= set(given_)
    assert {given_[0], given_[-1]} <= set(found)
    assert max(mb for _, mb in found) == max(values)
    assert min(mb for _, mb in found) == min(values)
    assert len(values) > most or found == given_


@pytest.fixture(scope="module")
def readings() -> list[float]:
    made = [100.0 + at / 1000 for at in range(LONG)]
    made[PEAK - 1], made[HOLE - 1] = 900.0, 1.0
    return made


def test_the_chart_and_what_is_fitted(readings: list[float]) -> None:
    spec = memory_chart([series_of(readings, 0.001)])
    assert spec is not None
    rows = spec["data"]["values"]
    assert len(rows) <= MOST_READINGS
    assert {1, PEAK, HOLE, LONG} <= {row["iteration"] for row in rows}
    (fit,) = [layer for layer in spec["layer"] if layer["mark"].get("strokeWidth") == 2.5]
    assert fit["data"]["values"][1]["fitted"] == pytest.approx(sum(readings) / LONG, abs=1e-3), (
        "of all readings"
    )


def test_our_own_chart_too(readings: list[float]) -> None:
    drawn = memory_lines([series_of(readings, 0.001)], "rss", "words")
    (line,) = re.findall(r'<path d="([^"]*)"[^>]*stroke-width="1\.2"', drawn)
    assert MOST_READINGS // 2 < line.count("L") < MOST_READINGS

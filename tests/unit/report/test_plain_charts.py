"""Charts of our own for a page without Vega: axes with round numbers, and all that the full charts show."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written_runs import Written, experiment, iterations

from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.report.html.charts.composition_chart import highest
from orchestrator.report.html.charts.symbols import symbol
from orchestrator.report.html.charts.timeline_chart import common_domain
from orchestrator.report.html.content import ExperimentContent
from orchestrator.report.html.page import make_page
from orchestrator.report.html.plain.frame import number, rounded, ticks
from orchestrator.report.html.plain.memory_lines import memory_lines
from orchestrator.report.html.plain.memory_parts import memory_parts
from orchestrator.report.html.plain.phase_times import phase_times
from orchestrator.report.html.plain.time_series import time_series

WORDS = 'Memory <of> & "all"'


@pytest.fixture
def content(tmp_path: Path) -> ExperimentContent:
    run = Written(tmp_path, experiment("recreate", "recycle"))
    run.add("recreate", iterations("recreate", 12, 1.0), outcome="crashed", cause="SIGABRT")
    run.add("recycle", iterations("recycle", 12, 0.0))
    (only,) = collect_report(run.run).experiments
    return only


DRAWN: dict[str, Callable[[Any], str]] = {
    "rss": lambda all_of: memory_lines(all_of.drawn, "rss", WORDS),
    "live": lambda all_of: memory_lines(all_of.drawn, "live", WORDS),
    "parts": lambda all_of: memory_parts(all_of.series[0], highest(all_of.series), WORDS),
    "time": lambda all_of: time_series(all_of.series[1], common_domain(all_of.series), WORDS),
    "phases": lambda all_of: phase_times(all_of.series, WORDS),
}


def picture(drawn: str) -> ET.Element:
    (found,) = [each for each in ET.fromstring(f"<div>{drawn}</div>") if each.tag == "svg"]
    return found


@pytest.mark.parametrize("name", DRAWN)
def test_each_says_what_it_is_and_draws_within_its_frame(content: ExperimentContent, name: str) -> None:
    drawn = picture(DRAWN[name](content))
    assert drawn.get("role") == "img"
    assert drawn.findtext("title") == WORDS
    _, _, width, height = map(float, str(drawn.get("viewBox")).split())
    paths = [str(each.get("d")) for each in drawn.iter("path")]
    assert len(paths) >= 3
    corners = [
        tuple(map(float, at)) for path in paths for at in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path)
    ]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in corners)
    assert not re.search(r"nan|inf", " ".join(paths))


def test_the_main_chart_has_readings_fits_warm_ups_and_where_it_broke_off(content: ExperimentContent) -> None:
    drawn = DRAWN["rss"](content)
    assert (
        drawn.count("<title>Destroy+Recreate</title>")
        == drawn.count("<title>Recycle (baseline)</title>")
        == 1
    )
    assert len(re.findall(r'stroke-width="2\.5"', drawn)) == 2, "both slopes"
    assert "✕" in drawn
    assert "Memory (RSS, MB)" in drawn
    flat, rising = (
        re.search(rf'stroke="var\(--{color}\)" stroke-width="1.2"', drawn) for color in ("baseline", "orange")
    )
    assert flat
    assert rising


def test_parts_lie_on_one_another(content: ExperimentContent) -> None:
    drawn = DRAWN["parts"](content)
    areas = [each for each in picture(drawn).iter("path") if each.get("opacity") == ".85"]
    lowest = [max(float(y) for y in re.findall(r",([\d.]+)", str(each.get("d")))) for each in areas]
    assert lowest == sorted(lowest, reverse=True)
    assert len(areas) == 4


def test_the_time_series_has_a_colour_a_phase_and_a_line_a_process(content: ExperimentContent) -> None:
    drawn = DRAWN["time"](content)
    stretches = [each.get("fill") for each in picture(drawn).iter("path") if each.get("fill")]
    assert stretches == ["var(--blue)", "var(--orange)", "var(--green)"]
    (generations,) = [each for each in picture(drawn).iter("path") if each.get("opacity") == ".5"]
    assert str(generations.get("d")).count("M") == 12


def test_phases_have_a_row_a_method_in_the_order_they_happen(content: ExperimentContent) -> None:
    drawn = DRAWN["phases"](content)
    rows = [each.text for each in picture(drawn).iter("text") if each.get("text-anchor") == "end"]
    assert rows == ["spawn", "load", "infer", "unload"]
    assert "Destroy+Recreate, infer: 0.300 s (0.300 to 0.300)" in drawn


@pytest.mark.parametrize("engine", [None, ""])
def test_legends_say_what_colours_and_marks_mean(tmp_path: Path, engine: str | None) -> None:
    run = Written(tmp_path, experiment("recreate", "recycle"))
    run.add("recreate", iterations("recreate", 12, 1.0), outcome="crashed", cause="SIGABRT")
    run.add("recycle", iterations("recycle", 12, 0.0))
    page = make_page(collect_report(run.run), engine)
    found = [
        re.findall(r"</svg>([^<]+)</li>", each) for each in re.findall(r'<ul class="legend">.*?</ul>', page)
    ]
    methods, marks = (
        ["Destroy+Recreate", "Recycle (baseline)"],
        ["fitted growth", "its 95 % interval", "broke off"],
    )
    assert found == [
        ["broke off", "fresh processes, the baseline"],
        *(methods, marks),
        *(methods, marks),
        ["live heap", "held but free", "outside malloc", "file pages"],
        ["load", "infer", "unload"],
        methods,
    ]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_short_run_has_a_page_without_vega(tmp_path: Path, count: int) -> None:
    run = Written(tmp_path, experiment("recreate", "recycle"))
    for method in ("recreate", "recycle"):
        run.add(method, iterations(method, count, 1.0))
    page = make_page(collect_report(run.run), None)
    assert page.count("orchestrator[report]") == (1 if count else 0)
    assert not re.search(r"\bnan\b|\binf\b", page)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 12))
def test_ticks_are_round_within_the_axis_and_not_many(low: float, span: float, most: int) -> None:
    found = ticks(low, low + span, most)
    assert len(found) <= most + 1
    assert found == sorted(set(found))
    assert all(low - span / 1e6 <= tick <= low + span * (1 + 1e-6) for tick in found)
    begin, end = rounded(low, low + span, most)
    assert begin <= low
    assert end >= low + span - 1e-6
    assert end - begin <= 2 * span


def test_iterations_have_whole_numbers() -> None:
    assert ticks(0.5, 3.5, 10, least=1.0) == [1, 2, 3]


def test_numbers_are_written_as_people_write_them() -> None:
    assert [number(value) for value in (0.0, 0.25, 1500.0, -3.0)] == ["0", "0.25", "1,500", "−3"]


def test_shapes_lie_about_their_place_and_differ() -> None:
    names = (
        "circle",
        "square",
        "diamond",
        "cross",
        "triangle-up",
        "triangle-down",
        "triangle-left",
        "triangle-right",
    )
    assert len({symbol(name, 50, 50, 4) for name in names}) == len(names)
    for name in names[1:]:
        xs = [float(x) for x in re.findall(r"[ML](-?[\d.]+),", symbol(name, 50, 50, 4))]
        assert min(xs) < 50 < max(xs)

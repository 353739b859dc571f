"""What the charts are made of: decimation, fits, parts, colours; and that Vega can draw them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written_runs import Written, experiment, iterations

from orchestrator.analysis.judging.judged import ChannelJudgement
from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.notebook.colors import COLORS
from orchestrator.notebook.marks import MARKS
from orchestrator.notebook.rates import significant
from orchestrator.report.html.charts.composition_chart import parts_of, thinned
from orchestrator.report.html.charts.engine import Drawing
from orchestrator.report.html.charts.fit import fit_points
from orchestrator.report.html.charts.images import main_figure
from orchestrator.report.html.charts.palette import PARTS, PHASES, styles_of
from orchestrator.report.html.content import Point
from orchestrator.report.html.decimation import decimate
from orchestrator.report.html.page import make_page

NAMES = {0: "load", 1: "infer"}


def labels(phases: list[int]) -> np.ndarray:
    return np.array([[phase, 1, index + 1] for index, phase in enumerate(phases)], dtype=np.int64)


@given(
    st.lists(st.floats(0, 1e4), min_size=1, max_size=300),
    st.integers(1, 40),
)
def test_decimation_loses_no_peak_and_no_order(values: list[float], buckets: int) -> None:
    rss = np.array(values)
    found = decimate(np.arange(rss.size) * 0.02, rss, labels([0] * rss.size), NAMES, buckets)
    assert max(bucket.high_mb for bucket in found) == rss.max()
    assert min(bucket.low_mb for bucket in found) == rss.min()
    assert len(found) <= buckets
    times = [bucket.time_s for bucket in found]
    assert times == sorted(times)


def test_a_short_phase_keeps_a_bucket_of_its_own() -> None:
    phases = [0] * 500 + [1] + [0] * 499
    found = decimate(np.arange(1000) * 0.02, np.ones(1000), labels(phases), NAMES, 10)
    assert [bucket.phase for bucket in found].count("infer") == 1


def test_very_many_iterations_have_a_bucket_a_phase_in_each_slice_and_lose_no_peak() -> None:
    phases = [0, 1] * 20_000
    rss = np.ones(len(phases))
    rss[12_345], rss[23_456] = 900.0, 0.5
    found = decimate(np.arange(rss.size) * 0.02, rss, labels(phases), NAMES, 100)
    assert len(found) == 2 * 100
    assert [bucket.time_s for bucket in found] == sorted(bucket.time_s for bucket in found)
    (peak,) = [bucket for bucket in found if bucket.high_mb == 900.0]
    assert (peak.phase, peak.time_s) == (NAMES[1], pytest.approx(246, abs=8.1))
    assert min(bucket.low_mb for bucket in found) == 0.5


def test_nothing_sampled_is_nothing_drawn() -> None:
    assert decimate(np.empty(0), np.empty(0), np.empty((0, 3), dtype=np.int64), NAMES) == []


def test_the_line_runs_through_the_middle_after_the_warm_up() -> None:
    channel = ChannelJudgement(verdict="leak", rate_mb_per_iteration=2.0, ci_low=1.0, ci_high=3.0, warm_up=2)
    found = fit_points([1, 2, 3, 4, 5], [0.0, 90.0, 100.0, 102.0, 104.0], channel)
    assert [(point.iteration, point.fitted_mb) for point in found] == [(3, 100.0), (4, 102.0), (5, 104.0)]
    assert (found[0].low_mb, found[0].high_mb) == (99.0, 101.0)
    assert found[1].low_mb == found[1].high_mb == 102.0


@pytest.mark.parametrize("channel", [None, ChannelJudgement(verdict="inconclusive")])
def test_without_a_slope_there_is_no_line(channel: ChannelJudgement | None) -> None:
    assert fit_points([1, 2, 3], [1.0, 2.0, 3.0], channel) == []


def test_parts_add_up_to_the_memory() -> None:
    point = Point(1, rss_mb=100, leak_series_mb=85, file_mb=20, swap_mb=5, live_mb=40, held_mb=30)
    parts = parts_of([point])
    assert parts == {
        "live heap": [40],
        "held but free": [30],
        "outside malloc": [15],
        "file pages": [20],
    }
    assert sum(size for (size,) in parts.values()) == 100 + 5


@given(st.lists(st.floats(1, 1e4), min_size=1, max_size=300), st.integers(1, 40))
def test_a_thinned_series_keeps_its_ends_its_peak_and_its_order(values: list[float], most: int) -> None:
    points = [Point(at, rss_mb=mb, leak_series_mb=mb) for at, mb in enumerate(values, 1)]
    found = thinned(points, most)
    assert len(found) <= most + 2
    assert (found[0], found[-1]) == (points[0], points[-1])
    assert max(point.rss_mb for point in found) == max(values)
    assert [point.iteration for point in found] == sorted({point.iteration for point in found})


def test_shared_memory_is_a_part_of_its_own() -> None:
    point = Point(
        1, rss_mb=100, leak_series_mb=95, file_mb=10, swap_mb=5, live_mb=40, held_mb=30, shared_mb=12
    )
    parts = parts_of([point])
    assert (parts["outside malloc"], parts["shared memory"]) == ([13], [12])
    assert sum(size for (size,) in parts.values()) == 100 + 5


def test_swap_is_a_part_of_its_own_where_the_heap_is_not_known() -> None:
    point = Point(1, rss_mb=100, leak_series_mb=85, file_mb=20, swap_mb=5, shared_mb=7)
    assert parts_of([point]) == {"anonymous": [73], "swap": [5], "shared memory": [7], "file pages": [20]}


def test_a_heap_larger_than_memory_is_not_told_apart() -> None:
    point = Point(1, rss_mb=100, leak_series_mb=80, file_mb=20, swap_mb=0, live_mb=60, held_mb=50)
    assert parts_of([point]) == {"anonymous": [80], "file pages": [20]}


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, as WCAG 2 defines it."""

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", sorted(set(COLORS) - {"ground", "panel", "rule"}))
def test_every_colour_stands_out_on_its_ground(scheme: str, name: str) -> None:
    least = 4.5 if name in {"ink", "muted", "red", "green", "gold", "blue"} else 3.0  # those write words, too
    for ground in ("ground", "panel"):
        assert contrast(getattr(COLORS[name], scheme), getattr(COLORS[ground], scheme)) >= least


def test_every_named_colour_exists() -> None:
    assert {*PHASES.values(), *PARTS.values(), *(mark.color for mark in MARKS.values())} <= set(COLORS)


def test_no_two_series_look_alike() -> None:
    keys = [("recreate", "recreate"), ("restart", "restart"), ("reuse", "reuse"), ("recycle", "recycle")]
    keys += [("recreate@a", "recreate"), ("restart@a", "restart"), ("recycle@a", "recycle")]
    styles = styles_of(keys)
    assert len({style.color for style in styles}) == len({style.shape for style in styles}) == len(keys)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (6.9312, "6.93"),
        (0.11934, "0.119"),
        (-0.0001, "0.000"),
        (41.26, "41.3"),
        (1234.5, "1234"),
    ],
)
def test_rates_are_written_with_three_digits(value: float | None, written: str) -> None:
    assert significant(value) == written


def test_the_main_figure_is_drawn_in_the_light_colours(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="needs the extra 'report'")
    run = Written(tmp_path, experiment("recreate", "recycle"))
    run.add("recreate", iterations("recreate", 12, 1.0))
    run.add("recycle", iterations("recycle", 12, 0.0))
    figure = main_figure(collect_report(run.run).experiments)
    assert figure is not None
    with Drawing() as drawing:
        svg = drawing.light_svg(figure)
    assert "var(--" not in svg
    assert COLORS["orange"].light in svg
    assert "Memory (RSS, MB)" in svg
    assert svg.count('aria-roledescription="point"') == 2 * 12


def test_a_run_without_readings_has_no_figure(tmp_path: Path) -> None:
    assert main_figure(collect_report(Written(tmp_path, experiment("recreate")).run).experiments) is None


def test_a_page_names_no_colour_that_its_style_does_not_define(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate", "restart", "reuse", "recycle"))
    for method in ("recreate", "restart", "reuse", "recycle"):
        run.add(method, iterations(method, 3, 1.0))
    page = make_page(collect_report(run.run), "")
    assert set(re.findall(r"var\(--(\w+)\)", page)) <= set(COLORS)

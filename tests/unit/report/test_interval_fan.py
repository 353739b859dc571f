"""The interval of a slope that is hardly known never decides the axis: the readings do, and the fan is cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.analysis.judging.judged import ChannelJudgement
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.report.html.charts.memory_chart import memory_chart
from orchestrator.report.html.content import Point, SeriesContent
from orchestrator.report.html.plain.memory_lines import HEIGHT, memory_lines

MB = [100.0, 101.0, 100.5, 101.5, 102.0, 101.0]


def series(ci_low: float, ci_high: float) -> SeriesContent:
    return series_of(MB, 0.2, ci_low, ci_high)


def series_of(
    readings: Sequence[float], rate: float, ci_low: float | None = None, ci_high: float | None = None
) -> SeriesContent:
    found = ChannelJudgement(
        verdict="inconclusive", rate_mb_per_iteration=rate, ci_low=ci_low, ci_high=ci_high, warm_up=0
    )
    points = [Point(at, rss_mb=mb, leak_series_mb=mb) for at, mb in enumerate(readings, 1)]
    judgement = Judgement(
        experiment="exp2",
        series="recreate",
        method="recreate",
        outcome="completed",
        sentence="completed",
        boundary="after_unload",
        verdict="inconclusive",
        iterations=len(readings),
        channels={"rss": found},
    )
    return SeriesContent("recreate", "Destroy+Recreate", "recreate", judgement, points)


def scales(spec: Any) -> list[Any]:
    """Return the scale of the y axis of each layer that has one."""
    layers = [layer["encoding"]["y"] for layer in spec["layer"] if "field" in layer["encoding"].get("y", {})]
    return [each.get("scale") for each in layers]


@pytest.mark.parametrize("wide", [0.1, 5_000.0])
def test_every_layer_has_the_axis_of_the_readings(wide: float) -> None:
    spec = memory_chart([series(-wide, wide)])
    assert spec is not None
    found = scales(spec)
    assert len(found) == 4, "fan, line, readings, fit"
    low, high = found[0]["domain"]
    assert min(MB) - 1 < low < min(MB)
    assert max(MB) < high < max(MB) + 1
    assert all(each == found[0] for each in found)
    fan = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "area")
    assert fan["mark"]["clip"] is True


def path_heights(drawn: str, look: str) -> list[float]:
    (path,) = re.findall(rf'<path d="([^"]*)"[^>]*{look}', drawn)
    return [float(y) for y in re.findall(r"[ML][\d.]+,([\d.]+)", path)]


def test_our_own_chart_cuts_the_fan_at_the_ends_of_its_axis() -> None:
    narrow, wide = (memory_lines([series(-ci, ci)], "rss", "words") for ci in (0.1, 5_000.0))
    line = r'stroke="var\(--orange\)" stroke-width="1.2"'
    assert path_heights(narrow, line) == path_heights(wide, line), "the readings stand where they stood"
    fan = path_heights(wide, r'fill="var\(--orange\)" opacity="\.14"')
    assert len(fan) > len(path_heights(narrow, r'fill="var\(--orange\)" opacity="\.14"')), (
        "with corners at the cuts"
    )
    assert min(fan) >= 0
    assert max(fan) <= HEIGHT


@pytest.mark.parametrize("rate", [5.0, -5.0, 0.05, 0.0])
def test_our_own_chart_cuts_a_fitted_line_at_the_axis_and_never_bends_it(rate: float) -> None:
    drawn = memory_lines([series_of(MB, rate)], "rss", "words")
    (line,) = re.findall(r'<path d="([^"]*)"[^>]*stroke-width="2\.5"', drawn)
    (x0, y0), (x1, y1) = [tuple(map(float, at)) for at in re.findall(r"[ML]([\d.]+),([\d.]+)", line)]
    across, down = ticks_of(drawn, "middle", 0), ticks_of(drawn, "end", 1)
    iterations = (x1 - x0) / slope(across)
    mb = (y1 - y0) / slope(down)
    assert mb / iterations == pytest.approx(rate, rel=0.02, abs=0.001)


def ticks_of(drawn: str, anchor: str, coordinate: int) -> list[tuple[float, float]]:
    """Return number and pixel of each tick of an axis."""
    found = re.findall(rf'<text x="([\d.]+)" y="([\d.]+)" text-anchor="{anchor}"[^>]*>([\d.]+)</text>', drawn)
    return [(float(each[2]), float(each[coordinate])) for each in found]


def slope(ticks: list[tuple[float, float]]) -> float:
    (value, pixel), (last, end) = ticks[0], ticks[-1]
    return (end - pixel) / (last - value)

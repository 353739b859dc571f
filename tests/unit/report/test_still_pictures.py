"""Charts as pictures in the page: what Vega drew, smaller, with names of their own and words for who cannot see it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from written_runs import Written, experiment, iterations

from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.report.html.charts.engine import Drawing
from orchestrator.report.html.charts.memory_chart import memory_chart
from orchestrator.report.html.charts.still import still_picture, still_spec
from orchestrator.report.html.charts.timeline_chart import common_domain, timeline_chart
from orchestrator.report.html.figures import Figures

HOSTILE = '<script>alert(1)</script> & "quoted"'
_VEGAS = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100"><g fill="none" transform="translate(5,5)">
<g class="mark-group" role="graphics-object" aria-roledescription="x"><g transform="translate(0,0)">
<path class="background" aria-hidden="true" d="M0,0h190v90h-190Z"/>
<g class="mark-rule">
<line transform="translate(75,0)" x2="0" y2="90" stroke="var(--rule)" stroke-width="1" opacity="1"/>
<line transform="translate(225.04,0)" x2="0" y2="90" stroke="var(--rule)" stroke-width="1" opacity="1"/></g>
<g class="mark-area" clip-path="url(#clip5)"><path d="M75.083,21.0766L5.5,1.04Z" fill="var(--blue)" opacity="0.2"/>
<path d="M1,1L5.5,1.04Z" fill="var(--blue)" opacity="0.2"/></g>
<g class="mark-symbol"><path transform="translate(7.08,1)" d="M2.5511,0A2.55,2.55,0,1,1,2.55,0" fill="var(--red)"/>
<path transform="translate(9.08,1)" d="M2.5511,0A2.55,2.55,0,1,1,2.55,0" fill="var(--red)"/></g>
<text text-anchor="middle" transform="translate(2.08,16)" onclick="x()">a &lt;b&gt; \x01</text>
<script>alert(1)</script><foreignObject>x</foreignObject>
<path class="foreground" d="" display="none"/></g></g></g>
<defs><clipPath id="clip5"><rect x="0" y="0" width="190" height="90"/></clipPath></defs></svg>"""


def picture(svg: str = _VEGAS, name: str = "chart-1") -> ET.Element:
    return ET.fromstring(still_picture(svg, name, "Memory", f"Memory of {HOSTILE}"))


def test_it_says_what_it_is() -> None:
    drawn = picture()
    assert drawn.get("role") == "img"
    words = {each.get("id"): each.text for each in drawn if each.tag in {"title", "desc"}}
    assert [words[name] for name in str(drawn.get("aria-labelledby")).split()] == [
        "Memory",
        f"Memory of {HOSTILE}",
    ]


def test_names_are_its_own_and_found() -> None:
    ids = {each.get("id") for each in picture().iter() if each.get("id")}
    assert all(str(name).startswith("chart-1-") for name in ids)
    assert ids.isdisjoint({each.get("id") for each in picture(name="chart-2").iter() if each.get("id")})
    used = re.findall(r"#([\w-]+)", still_picture(_VEGAS, "chart-1", "", ""))
    assert set(used) <= ids
    assert "chart-1-clip5" in used


def test_nothing_but_drawing_is_in_it() -> None:
    drawn = picture()
    assert {each.tag for each in drawn.iter()} <= {
        "svg",
        "title",
        "desc",
        "defs",
        "g",
        "path",
        "rect",
        "text",
        "use",
        "clipPath",
    }
    assert not [key for each in drawn.iter() for key in each.attrib if key.startswith(("on", "aria-role"))]
    assert [each.text for each in drawn.iter("text")] == ["a <b> "]


def test_marks_of_one_look_are_one_element_unless_one_can_see_through_them() -> None:
    paths = {each.get("d") for each in picture().iter("path")}
    assert "M75,0l0,90M225,0l0,90" in paths
    assert {"M75.1,21.1L5.5,1Z", "M1,1L5.5,1Z"} <= paths
    assert [(each.get("x"), each.get("y")) for each in picture().iter("use")] == [("7.1", "1"), ("9.1", "1")]


def test_of_shapes_at_one_spot_one_is_drawn() -> None:
    shape = '<path transform="translate({x},1)" d="M1,0h1Z" fill="red"/>'
    many = "".join(shape.format(x=f"{7 + at / 1000:.3f}") for at in range(300)) + shape.format(x=60)
    drawn = picture(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g>{many}</g></svg>')
    assert [each.get("x") for each in drawn.iter("use")] == ["7.3", "60"]


def keys_in(part: Any) -> set[str]:
    if isinstance(part, dict):
        return {*part, *(key for value in part.values() for key in keys_in(value))}
    return {key for each in part for key in keys_in(each)} if isinstance(part, list) else set()


def test_its_specification_has_a_width_and_nothing_to_point_at(tmp_path: Path) -> None:
    spec = memory_chart(run_content(tmp_path).series)
    assert spec is not None
    still = still_spec(spec, 470)
    assert still["width"] == 470
    assert "tooltip" in keys_in(spec)
    assert "tooltip" not in keys_in(still)
    assert len(still["data"]["values"]) == 2 * 12
    assert still["data"] == spec["data"]
    assert spec["width"] == "container", "the page's own is as it was"


def run_content(tmp_path: Path, count: int = 12) -> Any:
    run = Written(tmp_path, experiment("recreate", "recycle"))
    run.add("recreate", iterations("recreate", count, 1.0))
    run.add("recycle", iterations("recycle", count, 0.0))
    (only,) = collect_report(run.run).experiments
    return only


def test_vegas_own_charts_keep_their_marks_at_half_the_size_and_less(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="needs the extra 'report'")
    content = run_content(tmp_path)
    memory = memory_chart(content.drawn)
    timeline = timeline_chart(content.series[0], common_domain(content.series))
    assert memory is not None
    assert timeline is not None
    with Drawing() as drawing:
        whole, whole_timeline = (drawing.svg(still_spec(each, 960)) for each in (memory, timeline))
    small = still_picture(whole, "chart-1", "Memory", "")
    assert len(small) < len(whole) / 2
    drawn = ET.fromstring(small)
    assert len(list(drawn.iter("use"))) == 2 * 12, "each reading"
    words = {"".join(each.itertext()) for each in drawn.iter("text")}
    assert {"Memory (RSS, MB)", "Iteration", "110", "12"} <= words
    small = still_picture(whole_timeline, "chart-2", "Time", "")
    assert len(small) < len(whole_timeline) / 3
    phases = {path.get("fill") for path in ET.fromstring(small).iter("path")}
    assert {"var(--blue)", "var(--orange)", "var(--green)"} <= phases


def test_a_chart_that_the_script_cannot_draw_keeps_its_picture_in_the_page() -> None:
    figures = Figures(lambda spec: _VEGAS)
    figure = figures.add({"mark": "point"}, "Memory: of all", pointing="Drag it.")
    assert '<title id="chart-1-title">Memory</title>' in figure
    assert '<span class="pointing" hidden>Drag it.</span>' in figure
    assert '"chart-1"' in figures.as_json()

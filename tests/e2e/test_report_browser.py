"""The report of a real run in a real browser: charts are drawn, nothing is fetched, nobody's words are run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import ABSENT, UNFOLD, Browser, browser, installed
from lab import Lab, experiment, synthetic

from orchestrator.experiments.reporting.run_report import build_report

pytest.importorskip("vl_convert", reason="needs the extra 'report'")
pytestmark = pytest.mark.skipif(not installed(), reason=ABSENT)

METHODS = ("recreate", "restart", "recycle")
HOSTILE = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
MARKS = ".mark-symbol path, .mark-line path, .mark-rect path, .mark-area path, .mark-rule line"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of three methods of the synthetic engine, under a name that wants to be markup.

    Each lasts long enough for many readings of its time series.
    """
    lab = Lab(tmp_path_factory.mktemp("reported"))
    leaking = synthetic(leak_kib_per_job=512, tokens=4, load_ms=100, job_ms=20) | {"label": HOSTILE}
    missing = {"engine": "chatllm", "file": "nowhere.bin", "label": "大模型"}
    lab.write(
        experiment("exp2", *METHODS, iterations=12, title=f"記憶體 {HOSTILE}"),
        experiment("exp4", "recreate", steps=[{"task": "asr", "model": "missing", "sample": "tone"}]),
        models={"small": leaking, "missing": missing},
    )
    done = lab.run("run", "--quiet")
    assert done.code == 0, done.err
    return build_report(lab.run_folder).html


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def shown(window: Browser, page: Path) -> Browser:
    window.requested()
    window.complaints()
    window.protocol("Emulation.clearDeviceMetricsOverride")
    window.open(page)
    window.unfold()
    return window


def charts(window: Browser) -> list[dict[str, Any]]:
    """Return for each chart its number of marks, its width and that of its place, and its words."""
    found: list[dict[str, Any]] = window.run(
        f"""
        return [...document.querySelectorAll(".chart")].map((chart) => ({{
          marks: chart.querySelectorAll("svg :is({MARKS})").length,
          width: chart.querySelector("svg").getBoundingClientRect().width,
          place: chart.getBoundingClientRect().width,
          words: [...chart.querySelectorAll("svg text")].map((text) => text.textContent),
        }}));
        """
    )
    return found


def test_every_chart_is_drawn_with_marks_and_units(shown: Browser) -> None:
    found = charts(shown)
    # RSS, live heap, phases; and for each method what it is made of and its time series
    assert len(found) == 3 + 2 * len(METHODS)
    assert all(chart["marks"] > 0 for chart in found)
    for unit in ("Memory (RSS, MB)", "Growth of the live heap (MB)", "RSS (MB)", "Memory (MB)"):
        assert any(unit in chart["words"] for chart in found), unit
    assert found[0]["marks"] >= 12 * len(METHODS)
    assert shown.complaints() == []


def test_no_request_leaves_the_page(shown: Browser, page: Path) -> None:
    asked = shown.requested()
    assert page.as_uri() in asked
    assert [address for address in asked if not address.startswith(("data:", page.as_uri()))] == []


def test_a_request_would_have_been_seen(window: Browser, tmp_path: Path) -> None:
    careless = tmp_path / "careless.html"
    careless.write_text('<img src="http://outside.invalid/pixel.png">')
    window.requested()
    window.open(careless)
    assert "http://outside.invalid/pixel.png" in window.requested()


def test_a_name_that_wants_to_be_markup_is_shown_and_not_run(shown: Browser) -> None:
    assert str(shown.run("return document.title")).startswith("Memory report ")
    assert shown.run("return document.querySelectorAll('script').length") == 3
    assert shown.run("return document.querySelectorAll('body img').length") == 0
    assert "<script>document.title" in shown.run("return document.querySelector('.small-charts').textContent")
    assert "大模型" in shown.run("return document.body.textContent")


def colors(window: Browser, scheme: str, medium: str = "screen") -> dict[str, str]:
    window.protocol(
        "Emulation.setEmulatedMedia",
        media=medium,
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    found: dict[str, str] = window.run(
        """
        const color = (selector, property) => getComputedStyle(document.querySelector(selector))[property];
        return {
          ground: color("html", "backgroundColor"),
          ink: color("html", "color"),
          line: color(".chart .mark-line path", "stroke"),
          axis: color(".chart .role-axis-title text", "fill"),
        };
        """
    )
    return found


def test_light_dark_and_paper_have_their_own_colours(shown: Browser) -> None:
    light, dark = colors(shown, "light"), colors(shown, "dark")
    assert light["ground"] == "rgb(255, 255, 255)"
    assert all(light[part] != dark[part] for part in light)
    assert colors(shown, "dark", "print") == light


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_fits_its_window(shown: Browser, page: Path, width: int) -> None:
    shown.protocol(
        "Emulation.setEmulatedMedia", media="screen"
    )  # paper, which another test asks for, does not scroll
    shown.protocol(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    shown.open(page)
    shown.unfold()
    assert shown.run("return document.documentElement.scrollWidth") <= width
    assert all(0.5 * chart["place"] < chart["width"] <= chart["place"] + 1 for chart in charts(shown))


STILL = """
    return [...document.querySelectorAll("figure > .chart")].map((chart) => ({
      name: chart.id,
      role: chart.querySelector("svg").getAttribute("role"),
      words: chart.querySelector("svg > title").textContent,
      marks: chart.querySelectorAll("svg :is(path, use, rect)").length,
      width: chart.querySelector("svg").getBoundingClientRect().width,
      place: chart.getBoundingClientRect().width,
    }));
"""


def without_scripts(window: Browser, page: Path) -> list[dict[str, Any]]:
    """Open a page whose scripts do not run, with all that is folded open; return its pictures."""
    window.protocol("Emulation.setScriptExecutionDisabled", value=True)
    try:
        window.open(page)
    finally:
        window.protocol("Emulation.setScriptExecutionDisabled", value=False)
    window.run(UNFOLD)
    found: list[dict[str, Any]] = window.run(STILL)
    return found


@pytest.mark.parametrize("width", [1200, 500])
def test_without_scripts_the_same_charts_are_there_as_pictures(
    shown: Browser, page: Path, width: int
) -> None:
    with_scripts = len(charts(shown))
    shown.protocol(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    found = without_scripts(shown, page)
    assert shown.run("return document.documentElement.dataset.chartsReady") is None, "no script has run"
    assert len(found) == with_scripts == 3 + 2 * len(METHODS)
    assert all(chart["role"] == "img" and chart["words"] and chart["marks"] > 2 for chart in found)
    assert all(chart["width"] >= chart["place"] - 1 for chart in found)
    assert shown.run("return document.documentElement.scrollWidth") <= width
    assert shown.run("return document.querySelector('.pointing').hidden"), "what nobody can do is not said"


def test_the_small_charts_and_the_table_need_no_script(window: Browser, page: Path) -> None:
    without_scripts(window, page)
    lines = "return [...document.querySelectorAll('svg polyline')].map((line) => line.getBoundingClientRect().width)"
    widths = window.run(lines)
    assert len(widths) >= 2 * len(METHODS)
    assert min(widths) > 50
    assert window.run("return document.querySelector('button[data-copy]').hidden")


def test_a_name_that_wants_to_be_markup_is_none_in_a_picture(window: Browser, page: Path) -> None:
    without_scripts(window, page)
    assert (
        window.run(
            "return document.querySelectorAll('.chart script, .chart img, .chart a, .chart foreignObject').length"
        )
        == 0
    )


def test_no_two_elements_have_one_name(window: Browser, page: Path) -> None:
    without_scripts(window, page)
    names = window.run("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(names) == len(set(names)) > 20
    used = window.run(
        """
        const clipped = [...document.querySelectorAll("[clip-path]")].map((each) => each.getAttribute("clip-path"));
        const shapes = [...document.querySelectorAll("use")].map((each) => each.getAttribute("href"));
        return [...clipped.map((each) => each.slice(5, -1)), ...shapes.map((each) => each.slice(1))];
        """
    )
    assert used
    assert set(used) <= set(names)


def test_charts_that_are_folded_are_drawn_when_they_are_opened(window: Browser, page: Path) -> None:
    window.protocol("Emulation.clearDeviceMetricsOverride")
    window.open(page)
    window.wait_for_charts()
    assert window.run("return document.querySelectorAll('.chart canvas, .chart svg.marks').length") == 1
    window.unfold()
    assert window.run("return document.querySelectorAll('.chart svg.marks').length") == 3 + 2 * len(METHODS)
    assert window.run("return document.querySelectorAll('.pointing:not([hidden])').length") == len(METHODS)


def test_a_chart_that_cannot_be_drawn_leaves_its_picture(window: Browser, page: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    made = page.read_text("utf-8")
    broken.write_text(made.replace('"layer":[', '"layer":[{"mark":7},', 1), "utf-8")
    window.open(broken)
    window.wait_for_charts()
    assert "could not be drawn" in window.run(
        "return document.querySelector('#chart-1 .chart-failed').textContent"
    )
    assert window.run("return document.querySelectorAll('#chart-1 svg.still').length") == 1


def test_a_reading_says_what_it_is_under_the_mouse(shown: Browser) -> None:
    at = shown.run(
        """
        document.querySelector("#chart-1").scrollIntoView({ behavior: "instant" });
        const place = document.querySelector("#chart-1 .mark-symbol path:nth-child(5)").getBoundingClientRect();
        return { x: place.x + place.width / 2, y: place.y + place.height / 2 };
        """
    )
    for away in (3, 0):
        shown.protocol("Input.dispatchMouseEvent", type="mouseMoved", x=at["x"] - away, y=at["y"])
    said = shown.until("document.querySelector('#vg-tooltip-element.visible')?.innerText", "shown")
    assert "Memory (RSS, MB)" in said
    assert "Iteration" in said


def test_the_table_can_be_copied_with_one_press(shown: Browser) -> None:
    shown.run("document.querySelector('button[data-copy]').click()")
    said = "document.querySelector('button[data-copy]').textContent"
    shown.until(f"!{said}.startsWith('Copy ')", "answered")
    assert shown.run(f"return {said}") in {"Copied", "Selected: press Ctrl-C"}

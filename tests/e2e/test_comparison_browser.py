"""The page of a comparison of real runs in a real browser: it fits, fetches nothing, and needs no script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import ABSENT, UNFOLD, Browser, browser, installed
from lab import Lab, experiment, synthetic

pytestmark = pytest.mark.skipif(not installed(), reason=ABSENT)

HOSTILE = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
VARIANT = "a-variant-with-a-long-name-that-goes-on-and-on-to-the-end"
METHODS = ("recreate", "reuse", "recycle")
WIDER = """
    return [...document.querySelectorAll(".scroll, table")]
      .filter((each) => each.getBoundingClientRect().width > 0)
      .filter((each) => each.scrollWidth > each.clientWidth + 1 || each.getBoundingClientRect().right > innerWidth)
      .map((each) => `${each.className} ${each.scrollWidth} of ${each.clientWidth}: ${each.innerText.slice(0, 80)}`);
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Two results folders: a leak, and the same mended; in the second a method breaks off."""
    made = Lab(tmp_path_factory.mktemp("compared"))
    variants = {VARIANT: {"env": {"MALLOC_ARENA_MAX": "1"}, "methods": ["reuse"]}}
    crash = {"faults": [{"how": "abort", "job": 8}]}
    for results, leak, faults in (("before", 512, {}), ("after<img src=x>", 0, crash)):
        made.write(
            experiment("exp2", *METHODS, iterations=12, title=HOSTILE, variants=variants),
            experiment(
                "exp4", "reuse", iterations=12, steps=[{"task": "asr", "model": "other", "sample": "tone"}]
            ),
            models={
                "small": synthetic(leak_kib_per_job=leak, tokens=4) | {"label": HOSTILE},
                "other": synthetic(**faults),
            },
        )
        done = made.run("run", "--quiet", "--results", results)
        assert done.code == 0, done.err
    return made


@pytest.fixture(scope="module")
def page(lab: Lab) -> Path:
    found = lab.folder / "compared.html"
    done = lab.run("compare", "before", "after<img src=x>", "--report", found)
    assert done.code == 0, done.err
    assert f"report: {found}" in done.err
    return found


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def opened(window: Browser, page: Path, width: int) -> None:
    window.protocol("Emulation.setEmulatedMedia", media="screen")
    window.protocol(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    window.requested()
    window.complaints()
    window.open(page)
    window.wait_for_charts()


def test_what_is_printed_does_not_depend_on_the_page(lab: Lab, page: Path) -> None:
    words = ("compare", "before", "after<img src=x>")
    assert lab.run(*words).out == lab.run(*words, "--report", page).out
    assert lab.run(*words, "--json").out == lab.run(*words, "--json", "--report", page).out


def test_a_page_that_has_no_place_is_refused_before_anything_is_read(lab: Lab) -> None:
    result = lab.folder / "before" / "exp2_results.json"
    content = result.read_bytes()
    for file, said in (
        ("nowhere/page.html", "there is no folder"),
        (".", "is a folder"),
        (result, "is one of the runs"),
    ):
        refused = lab.run("compare", result, "after<img src=x>", "--report", file)
        assert refused.code == 2
        assert said in " ".join(refused.err.split())
    assert result.read_bytes() == content


@pytest.mark.parametrize("unfolded", [False, True])
def test_nothing_scrolls_sideways_at_a_thousand_pixels(window: Browser, page: Path, unfolded: bool) -> None:
    opened(window, page, 1000)
    if unfolded:
        window.run(UNFOLD)
    assert window.run("return document.querySelectorAll('table').length") > 5
    assert window.run(WIDER) == []
    assert window.run("return document.documentElement.scrollWidth") <= 1000


@pytest.mark.parametrize("width", [500, 360])
def test_a_phone_shows_all_of_it(window: Browser, page: Path, width: int) -> None:
    opened(window, page, width)
    window.run(UNFOLD)
    assert window.run("return document.documentElement.scrollWidth") <= width
    table = window.run("const t = document.querySelector('.pairs'); return [t.scrollWidth, t.clientWidth]")
    assert table[0] <= table[1] + 1


def test_nothing_is_fetched_and_nobodys_words_are_run(window: Browser, page: Path) -> None:
    opened(window, page, 1200)
    window.run(UNFOLD)
    assert set(window.requested()) <= {page.as_uri(), "data:,"}
    assert window.complaints() == []
    assert window.run("return document.title") == "Comparison of runs"
    assert window.run("return document.querySelectorAll('body img').length") == 0
    assert window.run("return document.querySelectorAll('script').length") == 1
    assert "after<img src=x>" in window.run("return document.querySelector('header').textContent")


LOOK = """
    return {
      text: document.body.innerText,
      curves: [...document.querySelectorAll("#growth figure svg")].map((each) => each.getBoundingClientRect().width),
    };
"""


def test_without_scripts_there_is_the_same(window: Browser, page: Path) -> None:
    opened(window, page, 1200)
    with_scripts: dict[str, Any] = window.run(LOOK)
    window.protocol("Emulation.setScriptExecutionDisabled", value=True)
    try:
        window.open(page)
    finally:
        window.protocol("Emulation.setScriptExecutionDisabled", value=False)
    assert window.run("return document.documentElement.dataset.chartsReady") is None, "no script has run"
    without: dict[str, Any] = window.run(LOOK)
    assert without == with_scripts
    assert len(without["curves"]) == 5
    assert min(without["curves"]) > 150
    for said in ("The leak is gone", "B does not come to its end", VARIANT, "leak_kib_per_job"):
        assert said in without["text"], said


def test_light_dark_and_paper_have_their_own_colours(window: Browser, page: Path) -> None:
    opened(window, page, 1200)

    def colors(scheme: str, medium: str = "screen") -> dict[str, str]:
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
              first: color("#growth figure path[stroke-dasharray]", "stroke"),
              second: color("#growth figure path[stroke-opacity]", "stroke"),
              worse: color(".result-word.green", "color"),
            };
            """
        )
        return found

    light, dark = colors("light"), colors("dark")
    assert all(light[part] != dark[part] for part in light)
    assert light["first"] != light["second"]
    assert colors("dark", "print") == light


def test_links_lead_to_the_verdicts_of_their_methods(window: Browser, page: Path) -> None:
    opened(window, page, 1200)
    lost = window.run(
        """
        const links = [...document.querySelectorAll("a[href^='#']")].map((each) => each.getAttribute("href").slice(1));
        const names = [...document.querySelectorAll("[id]")].map((each) => each.id);
        return [links.filter((each) => !names.includes(each)), names.length - new Set(names).size, links.length];
        """
    )
    assert lost[:2] == [[], 0]
    assert lost[2] >= 10

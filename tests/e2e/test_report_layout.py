"""How a report lies on a screen, on a phone and on paper, also one of a run that is unlike others."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browser import ABSENT, UNFOLD, Browser, browser, installed
from lab import Lab, experiment, synthetic

from located_builders import answer, site
from orchestrator.experiments.reporting import run_report
from orchestrator.experiments.reporting.run_report import build_report
from orchestrator.experiments.storage.stored_located import write_located

pytestmark = pytest.mark.skipif(not installed(), reason=ABSENT)

METHODS = ("recreate", "restart", "recycle")
MOST_PAGES = 6
LONG = "Speech-Recognition-0.6B-q4_1-with-a-long-name-大模型名稱大模型名稱"
LONG_FRAME = f"run_{'ExecutionProvider' * 8}"
WIDER = """
    return [...document.querySelectorAll(".scroll, table")]
      .filter((each) => each.getBoundingClientRect().width > 0)
      .filter((each) => each.scrollWidth > each.clientWidth + 1 || each.getBoundingClientRect().right > innerWidth)
      .map((each) => `${each.className} ${each.scrollWidth} of ${each.clientWidth}: ${each.innerText.slice(0, 80)}`);
"""


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module", params=["full", "simple"])
def five(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of five experiments of three methods, of which three leak; with and without Vega."""
    lab = Lab(tmp_path_factory.mktemp("five"))
    models = {"small": synthetic(leak_kib_per_job=512), "large": synthetic()}
    chosen = ("small", "large", "small", "large", "small")
    lab.write(
        *(
            experiment(
                f"exp{number}",
                *METHODS,
                iterations=8,
                title=f"Inference Benchmark of a Model {number}",
                steps=[{"task": "asr", "model": model, "sample": "tone"}],
            )
            for number, model in enumerate(chosen, 1)
        ),
        models=models,
    )
    done = lab.run("run", "--quiet")
    assert done.code == 0, done.err
    return made(lab, request.param)


def made(lab: Lab, kind: str) -> Path:
    if kind == "full":
        pytest.importorskip("vl_convert", reason="needs the extra 'report'")
        return build_report(lab.run_folder).html
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_report, "installed", lambda: False)
        return build_report(lab.run_folder).html


@pytest.fixture(scope="module", params=["full", "simple"])
def strange(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many methods, long names, leak sites; an experiment of one iteration; one in which nothing was measured."""
    lab = Lab(tmp_path_factory.mktemp("strange"))
    variants = {
        f"arenas-limited-to-number-{number}": {"env": {"MALLOC_ARENA_MAX": str(number)}, "methods": ["reuse"]}
        for number in range(1, 9)
    }
    missing = {"engine": "chatllm", "file": "nowhere.bin", "label": LONG}
    lab.write(
        experiment("many", "recreate", "restart", "reuse", "recycle", variants=variants),
        experiment("once", "recreate", "recycle", iterations=1),
        experiment("none", "recreate", steps=[{"task": "asr", "model": "missing", "sample": "tone"}]),
        models={"small": synthetic(leak_kib_per_job=512) | {"label": LONG}, "missing": missing},
    )
    done = lab.run("run", "--quiet")
    assert done.code == 0, done.err
    found = answer(
        site(300, LONG_FRAME, LONG_FRAME, "run"), site(100, "f", *(f"caller_{at}" for at in range(30)))
    )
    write_located(lab.run_folder, [msgspec.structs.replace(found, name="many", method="reuse")])
    return made(lab, request.param)


def opened(window: Browser, page: Path, width: int) -> None:
    window.protocol("Emulation.setEmulatedMedia", media="screen")
    window.protocol(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    window.open(page)
    window.wait_for_charts()
    window.run(UNFOLD)


def test_no_table_of_a_usual_run_scrolls_sideways(window: Browser, five: Path) -> None:
    opened(window, five, 1000)
    assert window.run("return document.querySelectorAll('table').length") > 10
    assert window.run(WIDER) == []


def test_no_table_of_a_strange_run_scrolls_sideways(window: Browser, strange: Path) -> None:
    opened(window, strange, 1000)
    shown = window.run("return document.body.textContent")
    assert "arenas-limited-to-number-8" in shown
    assert "ExecutionProviderExecutionProvider" in shown
    assert window.run(WIDER) == []


@pytest.mark.parametrize("width", [500, 360])
def test_a_phone_shows_all_of_it(window: Browser, five: Path, strange: Path, width: int) -> None:
    for page in (five, strange):
        opened(window, page, width)
        assert window.run("return document.documentElement.scrollWidth") <= width


def pages(window: Browser, **more: Any) -> int:
    printed = window.protocol("Page.printToPDF", printBackground=False, **more)["data"]
    return len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed)))


def test_five_experiments_print_on_six_pages(window: Browser, five: Path) -> None:
    window.protocol("Emulation.clearDeviceMetricsOverride")
    window.protocol(
        "Emulation.setEmulatedMedia", media=""
    )  # a screen, which other tests ask for, would be printed
    window.open(five)
    window.wait_for_charts()
    a4 = {"paperWidth": 8.27, "paperHeight": 11.69}
    assert 2 <= pages(window, **a4) <= MOST_PAGES
    assert 2 <= pages(window) <= MOST_PAGES, "letter"
    window.run(UNFOLD)
    assert pages(window, **a4) > MOST_PAGES, "what is opened is printed"

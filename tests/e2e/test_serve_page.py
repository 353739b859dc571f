"""The page of ``orchestrator serve`` in a real browser: a recording in, text, word times and subtitles out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browser import ABSENT, Browser, browser, installed
from lab import PATIENCE_S, Lab, synthetic, wait_until
from serving_process import HEARD, Server, models, serving

HOSTILE = "<img src=x onerror=\"document.title = 'taken'\">"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    lab = Lab(tmp_path_factory.mktemp("page"))
    with serving(lab, models=models(hostile=synthetic(text=HOSTILE))) as running:
        yield running
    wait_until(lambda: not lab.workers(), what="no worker left")


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def page(window: Browser, server: Server) -> Browser:
    window.open(f"{server.url}/")
    window.until("document.querySelectorAll('#model option').length", "the models are there")
    window.requested()
    window.complaints()
    return window


def test_the_page_lets_in_nothing_from_elsewhere(server: Server) -> None:
    answer = httpx.get(f"{server.url}/", timeout=PATIENCE_S)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in answer.text


@pytest.mark.skipif(not installed(), reason=ABSENT)
class TestInABrowser:
    def test_a_recording_becomes_text_words_and_subtitles(self, page: Browser, server: Server) -> None:
        page.choose("#file", server.lab.folder / "tone.wav")
        page.run("document.querySelector('#go').click()")
        page.until("!document.querySelector('#result').hidden", "the text is there")
        assert page.run("return document.querySelector('#text').textContent") == HEARD
        rows = "return [...document.querySelectorAll('#words tr')].map((row) => row.lastChild.textContent)"
        assert page.run(rows) == HEARD.split()
        saved = page.run(
            """
            const found = [];
            URL.createObjectURL = (blob) => { found.push(blob); return "blob:none"; };
            HTMLAnchorElement.prototype.click = function () { found.push(this.download); };
            for (const id of ["srt", "vtt", "txt"]) document.querySelector(`#${id}`).click();
            return Promise.all(found.map((each) => each instanceof Blob ? each.text() : each));
            """
        )
        assert saved[1::2] == ["tone.srt", "tone.vtt", "tone.txt"]
        assert "-->" in saved[0]
        assert saved[2].startswith("WEBVTT")
        assert saved[4] == f"{HEARD}\n"
        assert all(address.startswith((server.url, "blob:")) for address in page.requested())
        assert page.complaints() == []

    def test_it_shows_the_memory_of_each_worker(self, page: Browser, server: Server) -> None:
        server.transcribe()
        cells = "[...document.querySelectorAll('#slots tr:first-child td')].map((cell) => cell.textContent)"
        shown = page.until(f"({cells})[1] === 'asr-small' && {cells}", "the first slot is shown")
        assert int(shown[3].replace(",", "")) > 0
        assert page.run("return document.querySelector('#slots polyline').getAttribute('points')")

    def test_what_was_heard_is_text_and_never_markup(self, page: Browser, server: Server) -> None:
        page.choose("#file", server.lab.folder / "tone.wav")
        page.run("document.querySelector('#model').value = 'hostile'; document.querySelector('#go').click()")
        page.until("!document.querySelector('#result').hidden", "the text is there")
        assert page.run("return document.querySelector('#text').textContent") == HOSTILE
        assert page.run("return document.title") == "orchestrator serve"
        assert page.run("return document.querySelectorAll('img').length") == 0

    def test_a_refusal_is_said(self, page: Browser, tmp_path: Path) -> None:
        (tmp_path / "no.wav").write_text("not a recording")
        page.choose("#file", tmp_path / "no.wav")
        page.run("document.querySelector('#go').click()")
        said = page.until("document.querySelector('#said.bad')?.textContent", "the reason is said")
        assert "cannot be used" in said

    def test_stopping_stops_the_job(self, page: Browser, server: Server) -> None:
        before = server.pool()["outcomes"].get("asr", {}).get("cancelled", 0)
        page.choose("#file", server.lab.folder / "tone.wav")
        page.run("document.querySelector('#model').value = 'endless'; document.querySelector('#go').click()")
        server.until(lambda seen: seen["running"] == 1, "it works")
        page.run("document.querySelector('#stop').click()")
        server.until(
            lambda seen: seen["outcomes"]["asr"].get("cancelled", 0) == before + 1, "it is cancelled"
        )
        assert page.run("return document.querySelector('#said').textContent") == "stopped"

    @pytest.mark.parametrize("width", [360, 1200])
    def test_it_fits_its_window(self, page: Browser, width: int) -> None:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        page.protocol("Emulation.setDeviceMetricsOverride", **size)
        assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")
        page.protocol("Emulation.clearDeviceMetricsOverride")


@pytest.mark.skipif(not installed(), reason=ABSENT)
def test_with_a_key_the_page_asks_for_it(lab: Lab, window: Browser) -> None:
    with serving(lab, models=models(), env={"ORCHESTRATOR_API_KEY": "of the page"}) as server:
        window.open(f"{server.url}/")
        window.until("!document.querySelector('#keyed').hidden", "it asks for the key")
        assert window.run("return document.querySelectorAll('#model option').length") == 0, (
            "nothing without it"
        )
        window.run("document.querySelector('#key').value = 'of the page'")
        window.until("document.querySelectorAll('#model option').length", "the models are there")
        window.open("about:blank")

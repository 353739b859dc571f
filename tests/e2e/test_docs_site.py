"""The site, built as CI builds it: without a warning, with everything public in it, and asking nobody for anything."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlencode, urlsplit

import pytest
import typer.main
from browser import ABSENT, Browser, browser, installed

from orchestrator.cli.app import app
from orchestrator.config.schema import json_schema
from orchestrator.text.itn import inverse_normalize
from snippets import ROOT

pytest.importorskip("sphinx", reason="needs the packages of the extra 'docs'")
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS) for page in DOCS.rglob("*.md") if "_build" not in page.parts)
PUBLIC = ("orchestrator", "orchestrator.pipeline", "orchestrator.text")
NOWHERE = "http://127.0.0.1:9"
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""What a browser asks for by itself, by tag."""


class Links(HTMLParser):
    """Collects a page's ids, what it fetches, and where it leads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.fetched: list[str] = []
        self.leads: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.ids |= {said[name] for name in ("id", "name") if name in said}
        if FETCHED.get(tag) in said:
            self.fetched.append(said[FETCHED[tag]])
        if tag == "a" and "href" in said:
            self.leads.append(said["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. Whoever wants the network while it is built gets an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        str(folder / "trees"),
    ]
    done = subprocess.run(
        [*command, str(DOCS), str(folder / "html")],
        cwd=ROOT,
        env=os.environ | {"http_proxy": NOWHERE, "https_proxy": NOWHERE, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    return {page: Links(page) for page in site.rglob("*.html")}


def test_every_page_of_the_folder_is_a_page_of_the_site(site: Path) -> None:
    assert len(PAGES) > 40
    assert [page for page in PAGES if not (site / page).with_suffix(".html").exists()] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_described(module: str, pages: dict[Path, Links]) -> None:
    ids = {each for page in pages.values() for each in page.ids}
    names = set(importlib.import_module(module).__all__) - {"__version__"}
    described = {each.rpartition(".")[2] for each in ids if each.startswith("orchestrator.")}
    assert inverse_normalize.__name__ in described
    assert names - described == set()


def test_every_command_and_every_key_is_described(site: Path) -> None:
    commands = re.sub(r"<[^>]+>", "", (site / "reference/cli.html").read_text("utf-8"))
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"orchestrator {name}" in commands
        assert all(flag in commands for each in command.params for flag in each.opts if flag.startswith("--"))
    keys = re.sub(r"<[^>]+>", "", (site / "reference/configuration.html").read_text("utf-8"))
    for definition in json_schema()["$defs"].values():
        assert all(key in keys for key in definition["properties"])


def test_a_page_fetches_only_what_lies_beside_it(site: Path, pages: dict[Path, Links]) -> None:
    fetched = {(page, address) for page, found in pages.items() for address in found.fetched}
    assert len(fetched) > 100
    for page, address in fetched:
        parts = urlsplit(address)
        assert not parts.scheme, f"{page}: {address}"
        assert not parts.netloc, f"{page}: {address}"
        if parts.path:
            assert (page.parent / unquote(parts.path)).exists(), f"{page}: {address}"
    for sheet in site.rglob("*.css"):
        outward = re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)'\"]*", sheet.read_text("utf-8"))
        assert outward == [], sheet


def test_links_within_the_site_lead_somewhere(site: Path, pages: dict[Path, Links]) -> None:
    for page, found in pages.items():
        for address in found.leads:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert target.exists(), f"{page.relative_to(site)}: {address}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{page.relative_to(site)}: {address}"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.mark.skipif(not installed(), reason=ABSENT)
@pytest.mark.parametrize("name", ["index", "tutorial", "faq", "reference/pool", "reference/cli"])
def test_a_browser_asks_nobody(name: str, site: Path, window: Browser) -> None:
    window.requested()
    window.complaints()
    window.open(site / f"{name}.html")
    assert {urlsplit(address).scheme for address in window.requested()} <= {"file", "data"}
    assert window.complaints() == []
    assert window.run("return document.querySelector('h1').textContent").strip()


@pytest.mark.skipif(not installed(), reason=ABSENT)
@pytest.mark.parametrize(
    ("asked", "found"), [("fragmentation", "why-rss-lies.html"), ("must restart service", "faq.html")]
)
def test_search_works_from_a_disk(asked: str, found: str, site: Path, window: Browser) -> None:
    window.requested()
    window.complaints()
    window.open(f"{(site / 'search.html').as_uri()}?{urlencode({'q': asked})}")
    pages = window.until(f"document.querySelector('#search-results a[href*=\"{found}\"]')?.href", "found")
    assert Path(unquote(urlsplit(pages).path)).exists()
    assert {urlsplit(address).scheme for address in window.requested()} <= {"file", "data"}
    assert window.complaints() == []


def test_nothing_is_found_that_is_not_there(site: Path) -> None:
    """What the search knows lies in one script beside the pages: every page of ours, and no other."""
    index = (site / "searchindex.js").read_text("utf-8")
    (listed,) = re.findall(r'"?docnames"?:(\[[^]]*\])', index)
    assert sorted(json.loads(listed)) == [str(page.with_suffix("")) for page in PAGES]


def test_the_front_page_shows_how_it_begins(site: Path, pages: dict[Path, Links]) -> None:
    front = pages[site / "index.html"]
    assert [name for name in front.fetched if name.endswith("exp2.svg")]
    text = re.sub(r"<[^>]+>", "", (site / "index.html").read_text("utf-8"))
    assert "pip install" in text
    assert "from orchestrator import Pool" in text
    for page in ("faq", "comparison", "gallery", "changelog", "roadmap"):
        assert f"{page}.html" in front.leads


def test_a_report_of_the_gallery_opens_instead_of_being_saved(site: Path, pages: dict[Path, Links]) -> None:
    for name in ("kinds.html", "kinds.txt", "kinds.toml"):
        assert f"reports/{name}" in pages[site / "gallery.html"].leads
        assert (site / "reports" / name).read_bytes() == (DOCS / "reports" / name).read_bytes()

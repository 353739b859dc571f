"""The gallery shows what was recorded, and its record is small, whole without scripts, and of no particular machine."""

from __future__ import annotations

import json
import re
import runpy
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

TOP = Path(__file__).parents[2]
REPORTS = TOP / "docs/reports"
RECORDED = runpy.run_path(str(TOP / "benchmarks/record_reports.py"))
LARGEST = 300 * 1024
LARGEST_OF_ALL = 1024 * 1024


def experiments() -> list[str]:
    return [each["name"] for each in tomllib.loads((REPORTS / "kinds.toml").read_text("utf-8"))["experiment"]]


def test_the_lines_shown_are_those_recorded() -> None:
    text = (TOP / "docs/gallery.md").read_text("utf-8")
    (shown,) = re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    recorded = (REPORTS / "kinds.txt").read_text("utf-8")
    assert shown in recorded, (
        "run: python benchmarks/record_reports.py, and copy the first lines of docs/reports/kinds.txt"
    )
    assert [line.split()[0] for line in shown.splitlines()[2:-1]] == experiments()


def test_the_page_is_that_run_and_needs_no_script() -> None:
    page = (REPORTS / "kinds.html").read_text("utf-8")
    assert len(page) < LARGEST
    assert "<script" not in page
    assert page.count('class="chart"') == page.count('<svg class="still"') == len(experiments())
    assert RECORDED["NOTE"] in page
    (counts,) = re.findall(r"RESULT +(.*?)  ", (REPORTS / "kinds.txt").read_text("utf-8"))
    assert counts in page
    for name in experiments():
        assert f'id="experiment-{name}"' in page


def test_each_page_is_light_shown_and_made_by_a_command() -> None:
    text = (TOP / "docs/gallery.md").read_text("utf-8")
    pages = sorted(page for page in REPORTS.glob("*.html") if page.stem in RECORDED["PAGES"])
    assert [page.stem for page in pages] == sorted(RECORDED["PAGES"])
    for page in pages:
        made = page.read_text("utf-8")
        assert len(made) < LARGEST_OF_ALL, page.name
        assert f"](reports/{page.name})" in text
        assert f"python benchmarks/record_reports.py {page.stem}" in text
        assert "vegaEmbed(" not in re.sub(r"await vegaEmbed\(place", "", made), (
            "the code for the mouse is heavy"
        )


def test_a_link_of_a_page_leads_somewhere_in_it() -> None:
    for page in (REPORTS / f"{name}.html" for name in RECORDED["PAGES"]):
        made = page.read_text("utf-8")
        names = set(re.findall(r' id="([^"]*)"', made))
        links = re.findall(r'<a [^>]*href="([^"]*)"', made)
        assert links
        assert [link for link in links if link.removeprefix("#") not in names] == [], page.name


def test_the_comparison_shows_what_the_gallery_says_of_it() -> None:
    made = (REPORTS / "mended.html").read_text("utf-8")
    (said,) = re.findall(r'<p class="result">(.*?)</p>', made)
    assert "no longer leaks in captions Reuse" in said
    assert "is slower in" in said
    assert "Comparison of 3 with 3 runs" in made
    (setup,) = re.findall(r'<section id="set-up">(.*?)</section>', made, re.DOTALL)
    for option in ("leak_kib_per_job", "first_token_ms"):
        assert option in setup
    assert len(re.findall(r'<tr><th scope="row"', setup)) == 3, (
        "the two options, and the profiles that have them"
    )


def test_the_report_of_the_speech_engines_says_what_the_gallery_says_of_it() -> None:
    made = (REPORTS / "embedded.html").read_text("utf-8")
    names = tomllib.loads((TOP / "experiments.toml").read_text("utf-8"))["experiment"]
    for each in names:
        assert f'id="experiment-{each["name"]}"' in made
    (said,) = re.findall(r'<p class="result">(.*?)</p>', made)
    text = " ".join((TOP / "docs/gallery.md").read_text("utf-8").split())
    leaking = re.findall(r"\d+ of \d+ methods leak", said)
    assert leaking
    assert leaking[0] in text


def test_it_names_no_path_of_a_machine() -> None:
    for file in REPORTS.iterdir():
        found = re.findall(r"/(?:tmp|root|home|var|usr|work)/[^\s<\"]*", file.read_text("utf-8"))
        assert found == [], file.name


def test_what_needs_scripts_is_cut_and_the_rest_stays() -> None:
    light = RECORDED["light"]
    page = (
        '<head><link rel="icon" href="data:,"><meta http-equiv="Content-Security-Policy" content="x"></head>\n'
        "<header><h1>Report</h1></header>\n"
        '<figure><div class="chart" id="chart-1"><svg class="still"></svg></div></figure>\n'
        '<details><summary>More charts: all</summary><div class="chart">gone</div></details>\n\n'
        "<details><summary>Why</summary>kept</details><script>\nlet a = 1;\n</script>\n"
    )
    made = light(page)
    assert "gone" not in made
    assert "let a" not in made
    assert "Security" not in made
    assert '<div class="chart" id="chart-1"><svg class="still"></svg></div>' in made
    assert "<summary>Why</summary>kept" in made
    assert f"{RECORDED['NOTE']}</header>" in made
    HTMLParser().feed(made)


def test_paths_below_the_folder_are_cut() -> None:
    cut = RECORDED["without_paths"]
    assert cut("/a/b/results/x.json and /a/b", Path("/a/b")) == "results/x.json and ."
    assert cut(f"File {sys.base_prefix}/lib/x.py", Path("/a/b")) == "File lib/x.py"


def test_the_stack_shown_is_the_one_recorded() -> None:
    record = json.loads((TOP / "benchmarks/results/locate_packages.json").read_text("utf-8"))
    leaky, repaired = (record["packages"]["hiredis"][version] for version in ("3.1.0", "3.2.1"))
    (site,) = leaky["sites"]
    assert repaired["sites"] == []
    text = " ".join((TOP / "docs/gallery.md").read_text("utf-8").split())
    assert " ".join(reversed(site["frames"])) in text
    assert f"{site['bytes_per_call']:.0f} bytes" in text
    assert f"{leaky['explained_percent']:.0f} %" in text

"""Which files a report writes, which run it finds, what it says when there is none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner
from written_runs import Written, experiment, iterations

from orchestrator.cli.commands.report_command import report
from orchestrator.errors import ResultsError
from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.experiments.reporting.run_report import build_report, find_run
from orchestrator.report.html.charts.engine import Drawing
from orchestrator.report.html.markdown import markdown_summary


@pytest.fixture
def run(tmp_path: Path) -> Written:
    made = Written(tmp_path / "results", experiment("recreate", "recycle"))
    made.add("recreate", iterations("recreate", 12, 1.0))
    made.add("recycle", iterations("recycle", 12, 0.0))
    return made


def test_the_page_lies_in_the_run_and_a_copy_in_the_results(run: Written) -> None:
    paths = build_report(run.path)
    assert paths.all == [run.path / "report.html", run.results.path / "report.html"]
    page = paths.html.read_bytes()
    assert page.startswith(b"<!doctype html>")
    assert page == (run.results.path / "report.html").read_bytes()
    assert len(page) < 3 * 1024**2


def test_elsewhere_there_is_no_copy_and_the_folder_is_made(run: Written, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="needs the extra 'report'")
    paths = build_report(run.path, out=tmp_path / "new" / "page.html", png=True, svg=True, markdown=True)
    assert [path.name for path in paths.all] == ["page.html", "page.png", "page.svg", "page.md"]
    assert (tmp_path / "new" / "page.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "new" / "page.svg").read_text().startswith("<svg")
    assert not (run.results.path / "report.html").exists()


def test_a_place_that_cannot_be_written_is_named(run: Written, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="file"):
        build_report(run.path, out=tmp_path / "file" / "page.html")


def test_no_figure_without_readings(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="needs the extra 'report'")
    empty = Written(tmp_path, experiment("recreate"))
    with pytest.raises(ResultsError, match="no readings yet"):
        build_report(empty.path, png=True)
    assert (empty.path / "report.html").exists()


def test_a_results_folder_means_its_newest_run(run: Written) -> None:
    newer = Written(run.results.path, experiment("recreate"))
    assert find_run(run.results.path) == newer.path
    assert find_run(run.path) == run.path


def test_no_run_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="orchestrator run"):
        find_run(tmp_path)


def test_the_command_prints_what_it_wrote(run: Written) -> None:
    app = typer.Typer()
    app.command()(report)
    done = CliRunner().invoke(app, [str(run.results.path), "--markdown"])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        str(run.path / "report.html"),
        str(run.results.path / "report.html"),
        str(run.path / "report.md"),
    ]
    assert done.stderr.startswith("This machine is not calibrated: orchestrator calibrate")


def test_the_summary_has_a_row_a_method(run: Written) -> None:
    lines = markdown_summary(collect_report(run.run)).splitlines()
    rows = [line for line in lines if line.startswith("| ")][2:]
    assert [row.split(" | ")[:2] for row in rows] == [
        ["| Destroy+Recreate", "**leak**"],
        ["| Recycle (baseline)", "**no leak (flat)**"],
    ]


def test_the_summary_shows_names_as_they_are_and_calls_nobody(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate", title="a|b <b>*c* @octo"))
    summary = markdown_summary(collect_report(run.run))
    assert r"a\|b \<b\>\*c\* &#64;octo" in summary
    assert "@octo" not in summary


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that draws the charts in full."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)


@pytest.mark.usefixtures("undrawn")
def test_without_the_drawing_package_the_page_has_charts_of_our_own(run: Written) -> None:
    paths = build_report(run.path)
    page = paths.html.read_text("utf-8")
    assert paths.all == [run.path / "report.html", run.results.path / "report.html"]
    # RSS, live heap, phases; and for each of two methods what it is made of and its time series
    assert page.count('<div class="chart">') == page.count('<svg class="still"') == 3 + 2 * 2
    assert page.count("pip install &#x27;orchestrator[report]&#x27;") == 1, "said once"
    assert page.count("<script") == 1
    assert "unsafe-eval" not in page
    assert "Drag and scroll" not in page


@pytest.mark.usefixtures("undrawn")
def test_without_the_drawing_package_a_picture_asked_for_is_an_error_after_all_else_is_written(
    run: Written,
) -> None:
    with pytest.raises(
        ResultsError, match=r"report\.html is written, without PNG and SVG: .*pip install"
    ) as told:
        build_report(run.path, png=True, svg=True, markdown=True)
    assert "earlier" not in str(told.value)
    assert {each.suffix for each in run.path.glob("report.*")} == {".html", ".md"}


@pytest.mark.usefixtures("undrawn")
def test_a_picture_of_an_earlier_page_is_left_and_named(run: Written) -> None:
    (run.path / "report.png").write_bytes(b"old")
    with pytest.raises(ResultsError, match=r"report\.png there is the picture of an earlier page$"):
        build_report(run.path, png=True)
    assert (run.path / "report.png").read_bytes() == b"old"
    assert build_report(run.path).left_out == "", "what was not asked for is not missed"


def test_pictures_are_in_the_page_and_each_is_drawn_once(
    run: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("vl_convert", reason="needs the extra 'report'")
    drawn: list[str] = []
    real = Drawing.svg

    def noted(drawing: Drawing, spec: dict[str, Any]) -> str:
        drawn.append(str(spec))
        return real(drawing, spec)

    monkeypatch.setattr(Drawing, "svg", noted)
    page = build_report(run.path).html.read_text("utf-8")
    assert page.count('<svg class="still"') == page.count('<div class="chart" id="chart-') == len(drawn) == 7

"""Vega draws in a process of its own: what cannot be drawn is left out of it, and its death costs a chart only."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from written_runs import Written, experiment, iterations

from orchestrator.cli.commands.run_command import _write_report  # pyright: ignore[reportPrivateUsage]
from orchestrator.errors import ResultsError
from orchestrator.experiments.reporting.run_report import build_report
from orchestrator.report.html.charts import engine
from orchestrator.report.html.charts.drawable import drawable, drawable_text
from orchestrator.report.html.charts.engine import Drawing, DrawingError

UNDRAWABLE = "a\x01b\ufffe\ud800c\x0b"
SPEC: dict[str, Any] = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "title": UNDRAWABLE,
    "data": {"values": [{"series": f"one {UNDRAWABLE}", "x": 1}, {"series": "two\tlines\n", "x": 2}]},
    "mark": "point",
    "encoding": {
        "x": {"field": "x", "type": "quantitative"},
        "color": {"field": "series", "type": "nominal"},
    },
}


@pytest.fixture
def run(tmp_path: Path) -> Written:
    pytest.importorskip("vl_convert", reason="needs the extra 'report'")
    made = Written(tmp_path / "results", experiment("recreate", title="Memory a\x01b\ufffec"))
    made.add("recreate", iterations("recreate", 12, 1.0))
    return made


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of the one that draws."""
    path = tmp_path / "program.py"
    monkeypatch.setattr(engine, "_PROGRAM", path)
    monkeypatch.setattr(Drawing, "_code", "")
    monkeypatch.setattr("orchestrator.experiments.reporting.run_report.installed", lambda: True)
    return path


def test_a_specification_loses_what_no_picture_can_hold_and_nothing_else() -> None:
    assert drawable(SPEC)["title"] == "abc"
    assert drawable({UNDRAWABLE: [1.5, None, True, (UNDRAWABLE,)]}) == {"abc": [1.5, None, True, ["abc"]]}
    assert drawable_text("大模型 \t\n😀 é") == "大模型 \t\n😀 é"


def test_characters_that_made_the_engine_panic_are_not_drawn() -> None:
    pytest.importorskip("vl_convert", reason="needs the extra 'report'")
    with Drawing() as drawing:
        svg = drawing.svg(SPEC)
        assert ">abc<" in svg
        assert ">one abc<" in svg
        assert drawing.png(svg).startswith(b"\x89PNG")
        assert drawing.png(svg.replace("abc", "a\x01")).startswith(b"\x89PNG")


def test_a_report_of_such_a_title_has_its_pictures(run: Written) -> None:
    paths = build_report(run.path, png=True, svg=True)
    assert paths.left_out == ""
    assert paths.png is not None
    assert paths.png.read_bytes().startswith(b"\x89PNG")
    assert 'id="chart-1"' in paths.html.read_text("utf-8")


def test_what_vega_cannot_draw_is_its_own_words_and_it_draws_on() -> None:
    pytest.importorskip("vl_convert", reason="needs the extra 'report'")
    with Drawing() as drawing:
        with pytest.raises(DrawingError, match="Vega says: "):
            drawing.png("this is no picture")
        assert "<svg" in drawing.svg(SPEC)


DEATHS = {
    "import os; os.abort()": "was ended by SIGABRT",
    "import sys; sys.stdin.readline(); sys.exit(7)": "ended with exit code 7",
    "import sys; sys.stdin.readline(); print('half', end='')": "ended with exit code 0",
}


@pytest.mark.parametrize("text", DEATHS)
def test_the_death_of_the_process_is_said_and_the_page_is_there(
    program: Path, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program.write_text(text, "utf-8")
    made = Written(tmp_path / "results", experiment("recreate"))
    made.add("recreate", iterations("recreate", 12, 1.0))
    page = _write_report(tmp_path / "results")
    said = f"Charts are drawn in a simpler form: the process that draws charts {DEATHS[text]}"
    assert capsys.readouterr().err.strip() == said
    assert page == tmp_path / "results" / "report.html"
    assert page is not None
    drawn = page.read_text("utf-8")
    assert drawn.count(said) == 1
    assert '<svg class="still"' in drawn
    with pytest.raises(ResultsError, match=f"without PNG: .*{DEATHS[text]}"):
        build_report(made.path, png=True)


def test_a_process_that_does_not_answer_is_killed(program: Path) -> None:
    program.write_text("import sys, time\nfor line in sys.stdin: time.sleep(600)\n", "utf-8")
    with Drawing(answer_s=0.5) as drawing, pytest.raises(DrawingError, match=r"did not answer within 0\.5 s"):
        drawing.svg(SPEC)


_PARENT = """
import sys
from orchestrator.report.html.charts.engine import Drawing
with Drawing() as drawing:
    drawing.svg({"mark": "point", "data": {"values": [{"x": 1}]}, "encoding": {"x": {"field": "x"}}})
    print(drawing._process.pid, flush=True)
    sys.stdin.read()
"""


def gone(pidfd: int) -> bool:
    found = select.poll()
    found.register(pidfd, select.POLLIN)
    return bool(found.poll(60_000))


@pytest.mark.parametrize("killed", [True, False])
def test_it_ends_with_its_parent_even_while_it_is_stuck(killed: bool) -> None:
    pytest.importorskip("vl_convert", reason="needs the extra 'report'")
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
            if killed:
                parent.kill()
            else:
                parent.stdin.close()
            assert gone(pidfd)
        finally:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
    assert parent.returncode == (-signal.SIGKILL if killed else 0)

"""The page's beginning: one table, a link and a line a method; charts that need no script; words explained."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from written_runs import Written, experiment, iterations

from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.report.closing.rows import ClosingRow
from orchestrator.report.html.page import make_page
from orchestrator.report.html.small_charts import Curve, small_chart, sparkline_svg
from orchestrator.report.html.summary_part import GLOSSARY, methods_table


def page(tmp_path: Path) -> str:
    run = Written(tmp_path, experiment("recreate", "recycle"))
    run.add("recreate", iterations("recreate", 40, 2.0))
    run.add("recycle", iterations("recycle", 40, 0.0))
    return make_page(collect_report(run.run), "")


def test_each_row_links_to_its_experiment_and_has_one_number(tmp_path: Path) -> None:
    made = page(tmp_path)
    assert "1 of 2 methods leaks · 1 does not · 0 undecided" in made
    section = made[made.index('id="verdicts"') :]
    (row,) = re.findall(
        r"<tr[^>]*>(?:(?!</tr>).)*Destroy\+Recreate.*?</tr>", section.split("</table>")[0], re.DOTALL
    )
    assert 'href="#experiment-exp2"' in row
    assert "▲ LEAK" in row
    assert "2.00 MB" in row
    assert ">+78<" in row or ">+80<" in row
    assert row.count("<svg") == 1
    assert 'id="experiment-exp2"' in made


def test_the_order_is_result_table_plan_growth_experiments_words(tmp_path: Path) -> None:
    made = page(tmp_path)
    places = [
        'class="headline"',
        'id="verdicts"',
        'class="small-charts"',
        'id="experiment-exp2"',
        'id="provenance"',
    ]
    found = [made.index(place) for place in [*places, 'id="words"']]
    assert found == sorted(found)
    assert made[made.index('id="experiment-exp2"') :].count("<summary>Why</summary>") == 2
    assert all(f"<dt>{word}</dt>" in made for word in GLOSSARY)
    assert len(GLOSSARY) == 8


@pytest.mark.parametrize(
    ("number", "per_iteration"),
    [
        ("0.12 MB", True),
        ("0.010 to 0.500 MB", True),
        ("-0.02 to 0.10 MB", True),
        ("312 bytes", True),
        ("2.00 descriptors", True),
        ("rose 14 MB, stopped", False),
        ("moves within 3 MB", False),
        ("stands still", False),
        ("after 3 of 20", False),
        ("", False),
    ],
)
def test_a_phone_is_told_which_numbers_are_per_iteration(number: str, per_iteration: bool) -> None:
    table = methods_table([ClosingRow("exp2", "transcribe", "Reuse", "undecided", "undecided", number)])
    assert f'<td class="{"lost" if per_iteration else ""}">{number}</td>' in table


def heights(drawn: str) -> list[float]:
    line = ET.fromstring(drawn).find("polyline")
    assert line is not None
    return [float(point.split(",")[1]) for point in line.attrib["points"].split()]


def test_a_curve_rises_as_its_values_do_and_stays_in_the_picture() -> None:
    drawn = small_chart([Curve("a<b>", [0.0, 5.0, 10.0, 40.0], "red")], 0.0, 20.0, "words & more")
    down = heights(drawn)
    assert down == sorted(down, reverse=True)
    assert down[0] - down[1] == pytest.approx(down[1] - down[2], abs=0.2)
    assert min(down) >= 0, "a value beyond the axis is drawn at its end"
    assert "<title>a&lt;b&gt;</title>" in drawn


def test_a_long_series_keeps_its_last_reading() -> None:
    values = [0.0] * 9_999 + [10.0]
    drawn = sparkline_svg(values, 10.0, "red")
    assert len(heights(drawn)) <= 202
    assert heights(drawn)[-1] < heights(drawn)[0]
    assert "from 0 to 10 MB" in drawn
    assert sparkline_svg([], 1.0, "red") == ""


def test_one_reading_is_a_point_and_no_division_by_zero() -> None:
    assert len(heights(small_chart([Curve("a", [0.0], "green")], 0.0, 1.0, "x"))) == 1
    assert len(heights(sparkline_svg([5.0, 5.0], 0.0, "green"))) == 2

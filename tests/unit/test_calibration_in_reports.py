"""The calibration on the page and in the Markdown summary of a run."""

import re

from calibration_builders import make_calibration

from orchestrator.report.html.content import CalibrationContent, ReportContent
from orchestrator.report.html.markdown import markdown_summary
from orchestrator.report.html.page import make_page

DOUBT = "the calibration was made on another host: kernel <6.1> there, 7.0 in this run"


def content(**calibration):
    return ReportContent(
        run_id="20261121T100000.000000Z-abcd",
        created_at="2026-11-21T10:00:00+00:00",
        state="finished",
        profile="lab",
        profile_reason="lab: asked for",
        tool_version="0.1.0",
        experiments=[],
        calibration=CalibrationContent(**calibration),
    )


def section(**calibration):
    page = make_page(content(**calibration), "")
    (found,) = re.findall(r'<section id="calibration">(.*?)</section>', page, re.DOTALL)
    return found


def test_the_page_shows_rates_cases_and_false_alarms():
    found = section(calibration=make_calibration())
    assert "0.125 MB per iteration by RSS alone" in found
    assert "<td>above 2</td>" in found
    assert "malloc leak in words" in found
    assert "RSS alone: 1 of 7 cases" in found
    assert "Warning" not in found


def test_a_table_with_a_mistake_in_it_is_open():
    first, second = re.findall(r"<details( open)?>", section(calibration=make_calibration()))
    assert (first, second) == (" open", "")


def test_a_doubt_is_shown_escaped():
    assert "kernel &lt;6.1&gt; there" in section(calibration=make_calibration(), doubts=[DOUBT])


def test_without_a_calibration_the_page_says_how_to_get_one():
    assert "orchestrator calibrate" in section()


def test_the_markdown_summary_has_the_sentence_and_the_warning():
    said = markdown_summary(content(calibration=make_calibration(), doubts=[DOUBT]))
    assert (
        "found every time in 100 iterations of a quiet process: 0.125 MB per iteration by RSS alone" in said
    )
    assert "Warning: the calibration was made on another host: kernel \\<6.1\\> there" in said
    assert "not calibrated" in markdown_summary(content())

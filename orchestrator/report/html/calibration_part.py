"""What this machine finds: the calibration beside a run, as a section of the page and in Markdown. Pure."""

from __future__ import annotations

from orchestrator.analysis.planning.calibration import CHANNEL_SETS, Calibration, Channels
from orchestrator.report.calibration_lines import (
    CASE_COLUMNS,
    NOT_CALIBRATED,
    alarm_sentences,
    case_cells,
    cases_by,
    heading,
    length_headings,
    meaning,
    mistakes,
    smallest_rows,
    summary,
    trust_sentences,
)
from orchestrator.report.html.content import CalibrationContent
from orchestrator.report.html.markup import Html, bullets, element, facts, folded, joined, table, text


def calibration_part(content: CalibrationContent) -> Html:
    """Return the section; without a calibration it says how to get one."""
    parts = [element("h2", text("What this machine finds"))]
    if content.doubts:
        parts.append(element("div", bullets(list(content.doubts)), class_="notes"))
    found = content.calibration
    if found is None:
        parts.append(element("p", text(NOT_CALIBRATED)))
    else:
        alarms = [element("h3", text("False alarms")), bullets(alarm_sentences(found))]
        parts += [element("p", text(f"{summary(found)}.")), _smallest(found), *alarms]
        parts += [_cases(found, channels) for channels in CHANNEL_SETS]
        parts.append(facts(_origin(found)))
    return element("section", joined(parts), id_="calibration")


def calibration_sentences(content: CalibrationContent) -> list[str]:
    """Return the same in a sentence and its doubts."""
    said = NOT_CALIBRATED if content.calibration is None else f"{summary(content.calibration)}."
    return [said, *(f"Warning: {doubt}." for doubt in content.doubts)]


def _smallest(found: Calibration) -> Html:
    rows = [[text(name), *(text(cell) for cell in cells)] for name, cells in smallest_rows(found)]
    return joined(
        [
            element("h3", text("Smallest leak found in every run")),
            table(["Process, channels", *length_headings(found)], rows),
            bullets(meaning(found)),
        ]
    )


def _cases(found: Calibration, channels: Channels) -> Html:
    rows = [
        [text(case.name), text(case.what), *(text(cell) for cell in case_cells(case, each))]
        for case, each in cases_by(found, channels)
    ]
    wrong = mistakes(found, channels)
    trust = trust_sentences(found, channels)
    shown = joined([bullets(wrong), bullets(trust), table(["Case", "What it does", *CASE_COLUMNS], rows)])
    return folded(f"{heading(found, channels)}, MB per iteration", shown, open_=bool(wrong))


def _origin(found: Calibration) -> dict[str, object]:
    return {
        "made": f"{found.created_at}{' (quick)' if found.quick else ''}",
        "by": f"orchestrator {found.tool_version}",
        "kernel": found.host.get("kernel"),
        "heap channel": found.heap,
    }

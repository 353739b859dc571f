"""The report of a run: head, verdicts first, experiments, what the machine finds, provenance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.report.html.calibration_part import calibration_part
from orchestrator.report.html.charts.engine import Draw
from orchestrator.report.html.content import ReportContent
from orchestrator.report.html.document import document
from orchestrator.report.html.experiment_part import experiment_part
from orchestrator.report.html.figures import SIMPLER, Figures
from orchestrator.report.html.located_part import located_part
from orchestrator.report.html.markup import Html, bullets, element, joined, text
from orchestrator.report.html.plan_part import plan_part
from orchestrator.report.html.provenance import mapping, provenance_part
from orchestrator.report.html.summary_part import banner, glossary_part, small_charts_part, summary_part
from orchestrator.report.html.verdicts import headlines

_GIB = 1024.0**3
_LONGEST = 80
_STATES = {"running": "under way, or killed", "interrupted": "interrupted", "finished": "finished"}


def make_page(
    content: ReportContent, engine: str | None, draw: Draw | None = None, *, simpler: str = SIMPLER
) -> str:
    """Return the whole document.

    Args:
        content: What there is to show.
        engine: JavaScript that defines ``vegaEmbed``, see :meth:`orchestrator.report.html.charts.engine.Drawing.code`;
            None for a page whose charts are our own simpler ones.
        draw: Draws the large charts as SVG, which stand in the page until a script has run; without it their places
            are empty until then.
        simpler: What a page of simpler charts says about them, and why.
    """
    figures = Figures(draw, plain=engine is None, simpler=simpler)
    sections = [experiment_part(each, content.profile, figures) for each in content.experiments]
    origin = [calibration_part(content.calibration), provenance_part(content), glossary_part()]
    first = [
        _head(content),
        summary_part(content),
        plan_part(content.plan),
        small_charts_part(content.experiments),
    ]
    body = joined([*first, *sections, located_part(content.located), *origin])
    return document(f"Memory report {content.run_id}", body, figures, engine)


def _head(content: ReportContent) -> Html:
    state = _STATES.get(content.state, content.state)
    engines = dict.fromkeys(step.model.engine for one in content.experiments for step in one.experiment.steps)
    words = element("p", banner(content), class_="result")
    parts = [
        element("h1", text("Memory report")),
        element("p", text(f"Run {content.run_id}, begun {content.created_at}, {state}.")),
        element("p", text(f"Engines: {', '.join(engines) or 'none'}. Profile {content.profile_reason}.")),
        *([element("p", text(f"Machine: {machine}."))] if (machine := _machine(content.facts)) else []),
        element("div", joined([words, bullets(headlines(content.experiments))]), class_="headline"),
    ]
    if content.notes:
        parts.append(element("div", bullets(content.notes), class_="notes"))
    return element("header", joined(parts))


def _machine(facts: Mapping[str, Any]) -> str:
    """Return what the run's machine is in a few words; empty where it is not known."""
    host = mapping(facts.get("host"))
    cores, memory = host.get("cores"), host.get("memory_total_bytes")
    said = [
        str(host.get("cpu_model") or ""),
        f"{cores} cores" if cores else "",
        f"{memory / _GIB:.1f} GiB of memory" if isinstance(memory, int) else "",
        f"kernel {host['kernel']}" if host.get("kernel") else "",
    ]
    return ", ".join(part[:_LONGEST] for part in said if part)

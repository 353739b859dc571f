"""The page: head, verdicts first, experiments, what the machine finds, provenance, charts' data and code. Pure.

Everything stands in the one file, and its content security policy lets the browser neither fetch anything nor
run any script but the two whose hashes it names.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from orchestrator.report.html.calibration_part import calibration_part
from orchestrator.report.html.charts.palette import variables
from orchestrator.report.html.content import ReportContent
from orchestrator.report.html.experiment_part import experiment_part
from orchestrator.report.html.figures import Figures
from orchestrator.report.html.located_part import located_part
from orchestrator.report.html.markup import Html, bullets, element, joined, text
from orchestrator.report.html.plan_part import plan_part
from orchestrator.report.html.provenance import provenance_part
from orchestrator.report.html.summary_part import banner, glossary_part, small_charts_part, summary_part
from orchestrator.report.html.verdicts import headlines

_STATES = {"running": "under way, or killed", "interrupted": "interrupted", "finished": "finished"}


def make_page(content: ReportContent, engine: str) -> str:
    """Return the whole document.

    Args:
        content: What there is to show.
        engine: JavaScript that defines ``vegaEmbed``, see :func:`orchestrator.report.html.charts.engine.chart_engine`.
    """
    figures = Figures()
    sections = [experiment_part(each, content.profile, figures) for each in content.experiments]
    origin = [calibration_part(content.calibration), provenance_part(content), glossary_part()]
    first = [
        _head(content),
        summary_part(content),
        plan_part(content.plan),
        small_charts_part(content.experiments),
    ]
    body = joined([*first, *sections, located_part(content.located), *origin])
    drawing = _asset("page.js")
    engine = engine.replace("</script", "<\\/script")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(engine, drawing)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<link rel="icon" href="data:,">',
            f"<title>Memory report {text(content.run_id)}</title>",
            f"<style>{_style()}</style>",
            "</head>",
            f"<body>{body}",
            "<noscript><p>The large charts need JavaScript; the small ones, verdicts and tables are complete without "
            "it.</p></noscript>",
            f'<script type="application/json" id="charts">{figures.as_json()}</script>',
            f"<script>{engine}</script>",
            f"<script>{drawing}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _head(content: ReportContent) -> Html:
    state = _STATES.get(content.state, content.state)
    engines = dict.fromkeys(step.model.engine for one in content.experiments for step in one.experiment.steps)
    words = element("p", banner(content), class_="result")
    parts = [
        element("h1", text("Memory report")),
        element("p", text(f"Run {content.run_id}, begun {content.created_at}, {state}.")),
        element("p", text(f"Engines: {', '.join(engines) or 'none'}. Profile {content.profile_reason}.")),
        element("div", joined([words, bullets(headlines(content.experiments))]), class_="headline"),
    ]
    if content.notes:
        parts.append(element("div", bullets(content.notes), class_="notes"))
    return element("header", joined(parts))


def _style() -> str:
    light, dark = variables(dark=False), variables(dark=True)
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{_asset('style.css')}"


def _policy(*scripts: str) -> str:
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    return (
        # Vega makes functions of its expressions; they are ours, never a user's words.
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _asset(name: str) -> str:
    return (files("orchestrator.report.html") / name).read_text(encoding="utf-8")

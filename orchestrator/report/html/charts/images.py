"""The main figure as one picture: memory over iterations, one panel an experiment, on white ground. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report.html.charts.memory_chart import memory_chart
from orchestrator.report.html.charts.palette import css
from orchestrator.report.html.charts.spec import SCHEMA, Spec, config
from orchestrator.report.html.content import ExperimentContent

WIDTH = 860
_PANEL_HEIGHT = 260


def main_figure(experiments: Sequence[ExperimentContent]) -> Spec | None:
    """Return the panels one above the other; None when no experiment has a reading."""
    panels: list[Spec] = []
    for each in experiments:
        panel = memory_chart(each.drawn, height=_PANEL_HEIGHT, legend=True)
        if panel is None:
            continue
        shared = ("$schema", "config", "autosize")
        kept = {key: value for key, value in panel.items() if key not in shared}
        panels.append({**kept, "width": WIDTH, "title": each.title})
    if not panels:
        return None
    return {
        "$schema": SCHEMA,
        "background": css("ground"),
        "padding": 18,
        "spacing": 34,
        "config": config(),
        "vconcat": panels,
        "resolve": {"scale": {"color": "independent", "shape": "independent", "strokeDash": "independent"}},
    }

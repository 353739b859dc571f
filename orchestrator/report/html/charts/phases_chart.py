"""How long each phase takes under each method: the median, and a line from shortest to longest. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report.html.charts.palette import PHASES, styles_of
from orchestrator.report.html.charts.spec import Spec, by_series, chart, quantitative, rows, tooltip
from orchestrator.report.html.content import SeriesContent

_TITLE = "Time (s; median, and a line from shortest to longest)"


def phases_chart(series: Sequence[SeriesContent]) -> Spec | None:
    """Return the chart of all series; None when nothing was timed."""
    data = [
        {
            "series": each.name,
            "phase": time.phase,
            "median": round(time.median_s, 4),
            "shortest": round(time.shortest_s, 4),
            "longest": round(time.longest_s, 4),
        }
        for each in series
        for time in each.phase_times
    ]
    if not data:
        return None
    present = {row["phase"] for row in data}
    names = [each.name for each in series]
    channels = by_series(names, styles_of([(each.key, each.method) for each in series]), legend=False)
    place = {
        "y": {
            "field": "phase",
            "type": "nominal",
            "title": None,
            "sort": [phase for phase in PHASES if phase in present],
        },
        "yOffset": {"field": "series", "type": "nominal", "scale": {"domain": names}},
        "color": channels["color"],
    }
    seconds = {"scale": {"zero": True, "nice": True}, "axis": {"tickCount": 10}}
    return chart(
        36 + len(present) * (14 * len(names) + 12),
        data=rows(data),
        encoding=place,
        layer=[
            {
                "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.55},
                "encoding": {
                    "x": quantitative("shortest", _TITLE, **seconds),
                    "x2": {"field": "longest"},
                },
            },
            {
                "mark": {"type": "point", "size": 80, "filled": True, "opacity": 1},
                "encoding": {
                    "x": quantitative("median", _TITLE, **seconds),
                    "shape": channels["shape"],
                    "tooltip": tooltip(
                        ("series", "Method", None),
                        ("phase", "Phase", None),
                        ("median", "Median (s)", ".3f"),
                        ("shortest", "Shortest (s)", ".3f"),
                        ("longest", "Longest (s)", ".3f"),
                    ),
                },
            },
        ],
    )

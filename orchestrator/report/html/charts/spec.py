"""What all charts share: Vega-Lite's settings, axes with units, scales by name. Pure.

A chart is a Vega-Lite specification as built-in types. What a user named stands in them only as data, as
domains of scales and as titles, which Vega draws as text; never inside an expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.report.html.charts.palette import SeriesStyle, css

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONT = "system-ui, 'Noto Sans', 'Noto Sans CJK TC', 'Liberation Sans', sans-serif"


def chart(height: int, **parts: Any) -> Spec:
    """Return a chart as wide as its place, ``height`` pixels high."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": config(),
        **parts,
    }


def config() -> Spec:
    """Return the settings: transparent ground, quiet grid, colours as CSS variables."""
    words = {"labelColor": css("muted"), "titleColor": css("ink"), "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": None,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            **words,
            "titleFontWeight": "normal",
            "gridColor": css("rule"),
            "domainColor": css("rule"),
            "tickColor": css("rule"),
            "titlePadding": 8,
            "labelFlush": False,
        },
        "legend": {**words, "titleFontWeight": "normal", "labelLimit": 320, "symbolStrokeWidth": 2},
        "title": {"color": css("ink"), "anchor": "start", "fontSize": 14},
    }


def rows(values: Iterable[Mapping[str, Any]]) -> Spec:
    """Return inline data."""
    return {"values": [dict(value) for value in values]}


def quantitative(field: str, title: str | None, **more: Any) -> Spec:
    """Return a channel for numbers; ``title`` carries the unit."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def tooltip(*fields: tuple[str, str, str | None]) -> list[Spec]:
    """Return tooltip lines of (field, title, number format or None for words)."""
    return [
        {
            "field": field,
            "title": title,
            "type": "quantitative" if form else "nominal",
            **({"format": form} if form else {}),
        }
        for field, title, form in fields
    ]


def by_series(names: Sequence[str], styles: Sequence[SeriesStyle], *, legend: bool = True) -> dict[str, Spec]:
    """Return the channels that tell series apart, all under one legend at the top.

    Without ``legend`` whoever shows the chart says which is which: a page's own words break where they have to.
    """
    # No outline: it would be dashed as the lines are, and eat the symbols.
    shown = {"orient": "top", "symbolSize": 90, "symbolStrokeWidth": 0, "symbolOpacity": 1, "columns": 2}
    field: Spec = {
        "field": "series",
        "type": "nominal",
        "title": None,
        "legend": shown if legend else None,
    }
    domain = list(names)
    return {
        "color": {**field, "scale": {"domain": domain, "range": [css(style.color) for style in styles]}},
        "shape": {**field, "scale": {"domain": domain, "range": [style.shape for style in styles]}},
        "strokeDash": {
            **field,
            "scale": {"domain": domain, "range": [style.dash or [1, 0] for style in styles]},
        },
    }


def padded(low: float, high: float, share: float = 0.05) -> list[float]:
    """Return a domain a little wider than from ``low`` to ``high`` and never empty; below 0 only if ``low`` is."""
    margin = max((high - low) * share, abs(high) * 0.005, 0.01)
    return [low - margin if low <= 0 else max(0.0, low - margin), high + margin]

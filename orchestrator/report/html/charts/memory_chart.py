"""The main chart: memory of each method over iterations on common axes. Pure.

Drawn from back to front: the warm-up of each method as a shaded stretch with a strip in its colour, the fan of
the slope's interval, the fitted line, the readings, a cross where a series broke off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.report.html.charts.palette import css, styles_of
from orchestrator.report.html.charts.readings import (
    CHANNELS,
    Channel,
    Values,
    WarmUp,
    broke_off,
    domain_of,
    fits_of,
    thinned,
    values_of,
    warm_ups,
)
from orchestrator.report.html.charts.spec import Spec, by_series, chart, quantitative, rows, tooltip
from orchestrator.report.html.content import SeriesContent

HEIGHT = 280
_FOOT = 6
"""Pixels of a strip that says whose warm-up is shaded."""


def memory_chart(
    series: Sequence[SeriesContent], channel: str = "rss", height: int = HEIGHT, *, legend: bool = False
) -> Spec | None:
    """Return the chart of one channel, ``rss`` or ``live``; None when no series has any reading of it.

    With ``legend`` it says itself which series is which.
    """
    drawn = CHANNELS[channel]
    values = {each.name: found for each in series if (found := values_of(each, drawn))}
    if not values:
        return None
    shown = [each for each in series if each.name in values]
    readings: list[dict[str, Any]] = [
        {"series": name, "iteration": at, "mb": round(mb, 3)}
        for name, found in values.items()
        for at, mb in thinned(found)
    ]
    fits = [row for each in shown for row in _fit(each, drawn, values[each.name])]
    styles = styles_of([(each.key, each.method) for each in series])
    channels = by_series([each.name for each in series], styles, legend=legend)
    colors = {each.name: css(style.color) for each, style in zip(series, styles, strict=True)}
    last = max(row["iteration"] for row in readings)
    x_scale = {"domain": [0.5, last + 0.5], "nice": False}
    y = {"title": drawn.title, "scale": {"domain": domain_of(values.values()), "nice": True, "zero": False}}
    return chart(
        height,
        data=rows(readings),
        layer=[
            *_warm_up(warm_ups(shown, drawn), colors, x_scale, height),
            _fan(fits, channels, y),
            *_drawn_readings(channels, y, last, _fitted_line(fits, channels, y)),
            *_ends(shown, values, y),
        ],
    )


def _fit(series: SeriesContent, drawn: Channel, values: Values) -> list[dict[str, Any]]:
    return [
        {
            "series": series.name,
            "iteration": point.iteration,
            "fitted": round(point.fitted_mb, 4),
            "low": point.low_mb,
            "high": point.high_mb,
        }
        for point in fits_of(series, drawn, values)
    ]


def _warm_up(
    found: Sequence[WarmUp], colors: dict[str, str], x_scale: dict[str, Any], height: int
) -> list[Spec]:
    """Return a shade over each warm-up, darker where several lie over each other, and whose it is at its foot."""
    stretches: list[dict[str, Any]] = [
        {"series": name, "from": begin, "to": end} for name, begin, end in found
    ]
    place = {"x": quantitative("from", "Iteration", scale=x_scale), "x2": {"field": "to"}}
    tip = tooltip(("series", "Warm-up of", None), ("to", "until iteration", ".0f"))
    shade: Spec = {
        "data": rows(stretches),
        "mark": {"type": "rect", "opacity": 0.1, "color": css("muted")},
        "encoding": {**place, "tooltip": tip},
    }
    feet: list[Spec] = [
        {
            "data": rows([stretch]),
            "mark": {"type": "rect", "color": colors[stretch["series"]], "opacity": 0.85},
            "encoding": {
                **place,
                "y": {"value": height - _FOOT * (row + 1) + 1},
                "y2": {"value": height - _FOOT * row},
                "tooltip": tip,
            },
        }
        for row, stretch in enumerate(stretches)
    ]
    return [shade, *feet]


def _fan(fits: Sequence[dict[str, Any]], channels: dict[str, Spec], y: Spec) -> Spec:
    return {
        "data": rows(row for row in fits if row["low"] is not None),
        "mark": {"type": "area", "opacity": 0.14, "clip": True},
        "encoding": {
            "x": quantitative("iteration", "Iteration"),
            "y": quantitative("low", **y),
            "y2": {"field": "high"},
            "color": channels["color"],
        },
    }


def _drawn_readings(channels: dict[str, Spec], y: Spec, last: int, fitted: Spec) -> list[Spec]:
    """Return the readings' line, the fitted one, and over both the readings, where a mouse finds them."""
    axis = {"tickMinStep": 1, "format": "d", **({"values": list(range(1, last + 1))} if last < 6 else {})}
    place = {
        "x": quantitative("iteration", "Iteration", axis=axis),
        "y": quantitative("mb", **y),
    }
    tip = tooltip(("series", "Method", None), ("iteration", "Iteration", "d"), ("mb", y["title"], ".2f"))
    return [
        {
            "mark": {"type": "line", "strokeWidth": 1.2, "opacity": 0.65},
            "encoding": {**place, "color": channels["color"], "strokeDash": channels["strokeDash"]},
        },
        fitted,
        {
            "mark": {"type": "point", "size": 30, "filled": True, "opacity": 0.9},
            "encoding": {**place, "color": channels["color"], "shape": channels["shape"], "tooltip": tip},
        },
    ]


def _fitted_line(fits: Sequence[dict[str, Any]], channels: dict[str, Spec], y: Spec) -> Spec:
    return {
        "data": rows(fits),
        "mark": {"type": "line", "strokeWidth": 2.5, "clip": True},
        "encoding": {
            "x": quantitative("iteration", "Iteration"),
            "y": quantitative("fitted", **y),
            "color": channels["color"],
            "strokeDash": channels["strokeDash"],
        },
    }


def _ends(shown: Sequence[SeriesContent], values: Mapping[str, Values], y: Spec) -> list[Spec]:
    """Return a cross at the last reading of every series that broke off."""
    ends = [
        {"series": each.name, "iteration": at, "mb": mb, "how": each.judgement.sentence}
        for each in broke_off(shown)
        for at, mb in values[each.name][-1:]
    ]
    if not ends:
        return []
    return [
        {
            "data": rows(ends),
            "mark": {"type": "text", "text": "✕", "fontSize": 18, "fontWeight": "bold", "color": css("red")},
            "encoding": {
                "x": quantitative("iteration", "Iteration"),
                "y": quantitative("mb", **y),
                "tooltip": tooltip(("series", "Method", None), ("how", "Ended", None)),
            },
        }
    ]

"""The main chart: memory of each method over iterations on common axes. Pure.

Drawn from back to front: the warm-up of each method as a shaded stretch with a strip in its colour, the fan of
the slope's interval, the readings, the fitted line, a cross where a series broke off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.report.html.charts.fit import fit_points
from orchestrator.report.html.charts.palette import css, styles_of
from orchestrator.report.html.charts.spec import Spec, by_series, chart, padded, quantitative, rows, tooltip
from orchestrator.report.html.content import Point, SeriesContent

Pick = Callable[[Point], float | None]

HEIGHT = 280
_FOOT = 6
"""Pixels of a strip that says whose warm-up is shaded."""


class _Channel(NamedTuple):
    """What is drawn: from each point, or as growth since the first one, where levels differ more than they grow."""

    title: str
    judged: str
    pick: Pick
    since_first: bool


def _rss(point: Point) -> float | None:
    return point.rss_mb


def _live(point: Point) -> float | None:
    return point.live_mb


_CHANNELS: dict[str, _Channel] = {
    "rss": _Channel("Memory (RSS, MB)", "rss", _rss, since_first=False),
    "live": _Channel("Growth of the live heap (MB)", "live", _live, since_first=True),
}


def memory_chart(series: Sequence[SeriesContent], channel: str = "rss", height: int = HEIGHT) -> Spec | None:
    """Return the chart of one channel, ``rss`` or ``live``; None when no series has any reading of it."""
    drawn = _CHANNELS[channel]
    values = {each.name: found for each in series if (found := _values(each, drawn))}
    if not values:
        return None
    shown = [each for each in series if each.name in values]
    readings: list[dict[str, Any]] = [
        {"series": name, "iteration": at, "mb": round(mb, 3)}
        for name, found in values.items()
        for at, mb in found
    ]
    fits = [row for each in shown for row in _fit(each, drawn.judged, values[each.name])]
    styles = styles_of([(each.key, each.method) for each in series])
    channels = by_series([each.name for each in series], styles)
    colors = {each.name: css(style.color) for each, style in zip(series, styles, strict=True)}
    every = [row["mb"] for row in readings] + [row["fitted"] for row in fits]
    scale = {"domain": padded(min(every), max(every)), "nice": True, "zero": False}
    last = max(row["iteration"] for row in readings)
    return chart(
        height,
        layer=[
            *_warm_up(shown, drawn.judged, colors, {"domain": [0.5, last + 0.5], "nice": False}, height),
            _fan(fits, channels, drawn.title),
            *_drawn_readings(readings, channels, drawn.title, scale, last),
            _fitted_line(fits, channels, drawn.title),
            *_ends(shown, values, drawn.title),
        ],
    )


def _values(series: SeriesContent, drawn: _Channel) -> list[tuple[int, float]]:
    """Return iteration and MB of every point that has the channel."""
    found = [(point.iteration, mb) for point in series.points if (mb := drawn.pick(point)) is not None]
    origin = found[0][1] if found and drawn.since_first else 0.0
    return [(at, mb - origin) for at, mb in found]


def _fit(series: SeriesContent, judged: str, values: Sequence[tuple[int, float]]) -> list[dict[str, Any]]:
    channel = series.judgement.channels.get(judged)
    return [
        {
            "series": series.name,
            "iteration": point.iteration,
            "fitted": round(point.fitted_mb, 4),
            "low": point.low_mb,
            "high": point.high_mb,
        }
        for point in fit_points([at for at, _ in values], [mb for _, mb in values], channel)
    ]


def _warm_up(
    shown: Sequence[SeriesContent], judged: str, colors: dict[str, str], x_scale: dict[str, Any], height: int
) -> list[Spec]:
    """Return a shade over each warm-up, darker where several lie over each other, and whose it is at its foot."""
    stretches: list[dict[str, Any]] = [
        {"series": each.name, "from": 0.5, "to": each.points[count - 1].iteration + 0.5}
        for each in shown
        if (found := each.judgement.channels.get(judged)) and 0 < (count := found.warm_up) <= len(each.points)
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


def _fan(fits: Sequence[dict[str, Any]], channels: dict[str, Spec], title: str) -> Spec:
    return {
        "data": rows(row for row in fits if row["low"] is not None),
        "mark": {"type": "area", "opacity": 0.2, "clip": True},
        "encoding": {
            "x": quantitative("iteration", "Iteration"),
            "y": quantitative("low", title),
            "y2": {"field": "high"},
            "color": channels["color"],
        },
    }


def _drawn_readings(
    readings: Sequence[dict[str, Any]], channels: dict[str, Spec], title: str, scale: Spec, last: int
) -> list[Spec]:
    axis = {"tickMinStep": 1, "format": "d", **({"values": list(range(1, last + 1))} if last < 6 else {})}
    place = {
        "x": quantitative("iteration", "Iteration", axis=axis),
        "y": quantitative("mb", title, scale=scale),
    }
    tip = tooltip(("series", "Method", None), ("iteration", "Iteration", "d"), ("mb", title, ".2f"))
    return [
        {
            "data": rows(readings),
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.55},
            "encoding": {**place, "color": channels["color"], "strokeDash": channels["strokeDash"]},
        },
        {
            "data": rows(readings),
            "mark": {"type": "point", "size": 26, "filled": True, "opacity": 0.9},
            "encoding": {**place, "color": channels["color"], "shape": channels["shape"], "tooltip": tip},
        },
    ]


def _fitted_line(fits: Sequence[dict[str, Any]], channels: dict[str, Spec], title: str) -> Spec:
    return {
        "data": rows(fits),
        "mark": {"type": "line", "strokeWidth": 2.5, "clip": True},
        "encoding": {
            "x": quantitative("iteration", "Iteration"),
            "y": quantitative("fitted", title),
            "color": channels["color"],
            "strokeDash": channels["strokeDash"],
        },
    }


def _ends(
    shown: Sequence[SeriesContent], values: Mapping[str, Sequence[tuple[int, float]]], title: str
) -> list[Spec]:
    """Return a cross at the last reading of every series that broke off."""
    ends = [
        {"series": each.name, "iteration": at, "mb": mb, "how": each.judgement.sentence}
        for each in shown
        if each.judgement.verdict == "crashed"
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
                "y": quantitative("mb", title),
                "tooltip": tooltip(("series", "Method", None), ("how", "Ended", None)),
            },
        }
    ]

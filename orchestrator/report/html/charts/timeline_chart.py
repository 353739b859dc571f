"""The time series of one method: RSS as sampled, coloured by phase, generations marked. Pure.

Each bucket is drawn from its lowest to its highest reading and up to where the next begins, so that a short peak
stays as high as it was and a level stretch is as long as it lasted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from orchestrator.report.html.charts.palette import PHASES, css
from orchestrator.report.html.charts.spec import Spec, chart, padded, quantitative, tooltip
from orchestrator.report.html.content import SeriesContent
from orchestrator.report.html.decimation import Bucket

HEIGHT = 150
_MOST_LABELS = 24
_MEMORY = "RSS (MB)"


def common_domain(series: Sequence[SeriesContent]) -> list[float]:
    """Return the memory axis that all timelines of an experiment share."""
    buckets = [bucket for each in series for bucket in each.timeline]
    if not buckets:
        return [0.0, 1.0]
    return padded(min(bucket.low_mb for bucket in buckets), max(bucket.high_mb for bucket in buckets))


def timeline_chart(series: SeriesContent, domain_mb: Sequence[float]) -> Spec | None:
    """Return the chart of one series on the common axis; None when it has no samples."""
    buckets = series.timeline
    if not buckets:
        return None
    begin = buckets[0].time_s
    x = _time_axis(buckets[-1].time_s - begin)
    memory: Spec = {"scale": {"domain": list(domain_mb), "nice": True, "zero": False}}
    return chart(
        HEIGHT,
        data={"values": _csv(buckets, begin), "format": {"type": "csv", "parse": _PARSE}},
        layer=[
            *_generations(buckets, begin, x),
            _thread(x, memory),
            _stretches(x, memory, {bucket.phase for bucket in buckets}),
        ],
    )


def _time_axis(end_s: float) -> Spec:
    return quantitative(
        "t",
        "Time since the method began (s)",
        scale={"domain": [0, max(end_s, 0.1)], "nice": False},
        axis={"tickCount": 12},
    )


def _thread(x: Spec, memory: Spec) -> Spec:
    """Return the thin line that leads the eye from stretch to stretch."""
    return {
        "mark": {"type": "line", "strokeWidth": 0.8, "color": css("muted"), "opacity": 0.7, "clip": True},
        "encoding": {"x": x, "y": quantitative("high", _MEMORY, **memory)},
    }


def _stretches(x: Spec, memory: Spec, present: set[str]) -> Spec:
    """Return the readings themselves, in the colour of their phase; dragging and scrolling moves the time axis."""
    colors = _phase_colors(present)
    return {
        "params": [{"name": "zoom", "select": {"type": "interval", "encodings": ["x"]}, "bind": "scales"}],
        "mark": {"type": "rect", "strokeWidth": 2, "strokeJoin": "round", "clip": True},
        "encoding": {
            "x": x,
            "x2": {"field": "until"},
            "y": quantitative("low", _MEMORY, **memory),
            "y2": {"field": "high"},
            "stroke": colors,
            "fill": colors,
            "tooltip": tooltip(
                ("phase", "Phase", None),
                ("iteration", "Iteration", "d"),
                ("generation", "Generation", "d"),
                ("t", "Time (s)", ".2f"),
                ("low", "Lowest RSS (MB)", ".2f"),
                ("high", "Highest RSS (MB)", ".2f"),
            ),
        },
    }


def _phase_colors(present: set[str]) -> Spec:
    phases = [phase for phase in PHASES if phase in present]
    return {
        "field": "phase",
        "type": "nominal",
        "title": None,
        "scale": {"domain": phases, "range": [css(PHASES[phase]) for phase in phases]},
        "legend": None,
    }


_PARSE = dict.fromkeys(("t", "until", "low", "high", "generation", "iteration"), "number")


def _csv(buckets: Sequence[Bucket], begin: float) -> str:
    """Return the buckets as CSV, a third of what JSON takes; phase names are ours, so nothing needs quoting."""
    lines = ["t,until,low,high,phase,generation,iteration"]
    for bucket, following in zip_longest(buckets, buckets[1:]):
        until = bucket.time_s
        if following is not None and following.generation == bucket.generation:
            until = following.time_s
        lines.append(
            f"{bucket.time_s - begin:.3f},{until - begin:.3f},{bucket.low_mb:.2f},{bucket.high_mb:.2f},"
            f"{bucket.phase},{bucket.generation},{bucket.iteration}"
        )
    return "\n".join(lines)


def _generations(buckets: Sequence[Bucket], begin: float, x: Spec) -> list[Spec]:
    """Return a line where each further process begins, numbered where there is room."""
    firsts: dict[int, float] = {}
    for bucket in buckets:
        firsts.setdefault(bucket.generation, bucket.time_s - begin)
    if len(firsts) < 2:
        return []
    every = -(-len(firsts) // _MOST_LABELS)
    marks: list[dict[str, Any]] = [
        {"t": round(at, 3), "generation": number, "label": str(number) if index % every == 0 else ""}
        for index, (number, at) in enumerate(firsts.items())
    ]
    return [_upright_lines(marks, x), _numbers(marks, x)]


def _upright_lines(marks: Sequence[dict[str, Any]], x: Spec) -> Spec:
    return {
        "data": {"values": list(marks)},
        "mark": {"type": "rule", "color": css("rule"), "strokeWidth": 1, "clip": True},
        "encoding": {"x": x, "tooltip": tooltip(("generation", "Process generation", "d"))},
    }


def _numbers(marks: Sequence[dict[str, Any]], x: Spec) -> Spec:
    place = {"y": 7, "dx": 3, "align": "left"}
    return {
        "data": {"values": list(marks)},
        "mark": {"type": "text", **place, "fontSize": 9, "color": css("muted"), "clip": True},
        "encoding": {"x": x, "text": {"field": "label"}},
    }

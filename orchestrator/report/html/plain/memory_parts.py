"""What the memory of one method is made of over iterations, as areas on one another. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report.html.charts.composition_chart import parts_of, thinned
from orchestrator.report.html.charts.palette import PARTS, css
from orchestrator.report.html.charts.still import HALF
from orchestrator.report.html.content import Point, SeriesContent
from orchestrator.report.html.markup import Html
from orchestrator.report.html.plain.frame import Frame, across, path, upward

HEIGHT = 210


def memory_parts(series: SeriesContent, highest_mb: float, words: str) -> Html:
    """Return the picture on the axis that all methods of the experiment share."""
    points = thinned(series.points)
    parts = parts_of(points)
    first, last = points[0].iteration, points[-1].iteration
    frame = Frame(
        HALF,
        HEIGHT,
        across(HALF, first, last, "Iteration", whole=True),
        upward(HEIGHT, 0, highest_mb, "Memory (MB)"),
    )
    levels = [[0.0] * len(points)]
    for values in parts.values():
        levels.append([below + own for below, own in zip(levels[-1], values, strict=True)])
    marks = [
        _area(frame, points, below, above, PARTS[name])
        for name, below, above in zip(parts, levels, levels[1:], strict=False)
    ]
    return frame.drawn(marks, words)


def _area(frame: Frame, points: Sequence[Point], below: list[float], above: list[float], color: str) -> str:
    x, y = frame.x.scale, frame.y.scale
    at = [x.at(point.iteration) for point in points]
    upper = zip(at, map(y.at, above), strict=True)
    lower = zip(reversed(at), map(y.at, reversed(below)), strict=True)
    return f'<path d="{path([*upper, *lower])}Z" fill="{css(color)}" opacity=".85"/>'

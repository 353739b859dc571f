"""Small charts as SVG in the page itself: they need no script, and print. Pure.

Colours are the variables of the style sheet, so that they fit a light screen, a dark one and paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.report.html.charts.legend import dashes
from orchestrator.report.html.charts.palette import css
from orchestrator.report.html.markup import Html, text
from orchestrator.report.html.plain.frame import Scale, number, ticks

_SPARK = (96, 24)
_CHART = (300, 130)
_LEFT, _BOTTOM, _TOP, _RIGHT = 40, 18, 8, 6
BASELINE_DASH = (5, 3)
_MOST_POINTS = 200
"""A curve in a small chart needs no more; of longer series every so manyth reading is drawn, the last one always."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One method in a small chart: its values in MB, its colour's name, and whether it is drawn dashed."""

    name: str
    values: Sequence[float]
    color: str
    dashed: bool = False


def sparkline_svg(values: Sequence[float], span: float, color: str) -> Html:
    """Return the readings as a line whose full height is ``span`` MB; nothing without readings."""
    if not values:
        return Html("")
    width, height = _SPARK
    low = min(values)
    points = _points(
        [value - low for value in values], (0.0, max(span, 1e-9)), (2, width - 2), (height - 3, 3)
    )
    line = _line(points, color)
    words = text(f"from {values[0]:.0f} to {values[-1]:.0f} MB")
    return Html(
        f'<svg class="spark" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{words}</title>{line}</svg>"
    )


def small_chart(curves: Sequence[Curve], low: float, high: float, words: str) -> Html:
    """Return the curves between ``low`` and ``high`` MB, each over the whole width, with ends of both axes named."""
    width, height = _CHART
    across, down = (_LEFT, width - _RIGHT), (height - _BOTTOM, _TOP)
    scale = Scale(low, high, *down)
    levels = ticks(low, high, 4)
    grid = "".join(f"M{_LEFT},{scale.at(level):.1f}H{width - _RIGHT}" for level in levels)
    count = max(len(curve.values) for curve in curves)
    lines = [_line(_points(curve.values, (low, high), across, down), curve.color, curve) for curve in curves]
    lines += [_dot(across[0], scale.at(curve.values[0]), curve) for curve in curves if len(curve.values) == 1]
    marks = [
        f'<path d="{grid}" stroke="{css("rule")}"/>',
        *(_label(_LEFT - 6, scale.at(level) + 4, number(level), "end") for level in levels),
        _label(_LEFT, height - 4, "1", "start"),
        _label(width - _RIGHT, height - 4, f"{count}", "end"),
    ]
    drawn = "".join([f"<title>{text(words)}</title>", *marks, *lines])
    return Html(f'<svg viewBox="0 0 {width} {height}" role="img">{drawn}</svg>')


def _points(
    values: Sequence[float], ends: tuple[float, float], across: tuple[float, float], down: tuple[float, float]
) -> str:
    every = -(-len(values) // _MOST_POINTS)
    shown = sorted({*range(0, len(values), every), len(values) - 1})
    steps = max(1, len(values) - 1)
    low, high = ends
    return " ".join(
        f"{across[0] + (across[1] - across[0]) * at / steps:.1f},"
        f"{down[0] + (down[1] - down[0]) * min((values[at] - low) / (high - low), 1.0):.1f}"
        for at in shown
    )


def _line(points: str, color: str, curve: Curve | None = None) -> str:
    dash = f' stroke-dasharray="{dashes(BASELINE_DASH)}"' if curve is not None and curve.dashed else ""
    words = f"<title>{text(curve.name)}</title>" if curve is not None else ""
    return f'<polyline points="{points}" fill="none" stroke="{css(color)}" stroke-width="1.8"{dash}>{words}</polyline>'


def _dot(x: float, y: float, curve: Curve) -> str:
    """Return the only reading of a curve, which has no length as a line."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{css(curve.color)}"/>'


def _label(x: float, y: float, words: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="11" fill="{css("muted")}">{text(words)}</text>'

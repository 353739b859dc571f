"""Memory of each method over iterations, with warm-ups, fitted lines and their intervals. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from orchestrator.report.html.charts.fit import FitPoint
from orchestrator.report.html.charts.legend import dashes
from orchestrator.report.html.charts.palette import SeriesStyle, css, styles_of
from orchestrator.report.html.charts.readings import (
    CHANNELS,
    Values,
    broke_off,
    domain_of,
    fits_of,
    thinned,
    values_of,
    warm_ups,
)
from orchestrator.report.html.charts.still import WIDE
from orchestrator.report.html.charts.symbols import symbol
from orchestrator.report.html.content import SeriesContent
from orchestrator.report.html.markup import Html, text
from orchestrator.report.html.plain.frame import Frame, Scale, across, label, path, upward

HEIGHT = 340
_FOOT = 6
_MOST_SYMBOLS = 60
"""With more readings than these a line has no shapes: they would lie over each other."""


def memory_lines(series: Sequence[SeriesContent], channel: str, words: str, height: int = HEIGHT) -> Html:
    """Return the picture of one channel, ``rss`` or ``live``; nothing without readings."""
    drawn = CHANNELS[channel]
    found = [(each, values) for each in series if (values := values_of(each, drawn))]
    if not found:
        return Html("")
    own = dict(
        zip(
            [each.name for each in series],
            styles_of([(each.key, each.method) for each in series]),
            strict=True,
        )
    )
    shown = [each for each, _ in found]
    last = max(at for _, values in found for at, _ in values)
    low, high = domain_of(values for _, values in found)
    frame = Frame(
        WIDE,
        height,
        across(WIDE, 0.5, last + 0.5, "Iteration", whole=True),
        upward(height, low, high, drawn.title),
    )
    marks = [
        *_warm_ups(frame, [(own[each.series], each.begin, each.end) for each in warm_ups(shown, drawn)]),
        *(_fan(frame, fits_of(each, drawn, values), own[each.name]) for each, values in found),
        *(_readings(frame, each.name, thinned(values), own[each.name]) for each, values in found),
        *(_fitted(frame, fits_of(each, drawn, values), own[each.name]) for each, values in found),
        *(_end(frame, values[-1]) for each, values in found if each in broke_off(shown)),
    ]
    return frame.drawn(marks, words)


def _warm_ups(frame: Frame, found: Sequence[tuple[SeriesStyle, float, float]]) -> list[str]:
    """Return a shade over each warm-up, and a strip at its foot in the colour of whose it is."""
    x, y = frame.x.scale, frame.y.scale
    top, bottom = y.end, y.start
    parts: list[str] = []
    for row, (style, begin, end) in enumerate(found):
        place = f'x="{x.at(begin):.1f}" width="{x.at(end) - x.at(begin):.1f}"'
        parts += [
            f'<rect {place} y="{top:g}" height="{bottom - top:g}" fill="{css("muted")}" opacity=".1"/>',
            f'<rect {place} y="{bottom - _FOOT * (row + 1) + 1:g}" height="{_FOOT - 1}" fill="{css(style.color)}"/>',
        ]
    return parts


def _fan(frame: Frame, fits: Sequence[FitPoint], style: SeriesStyle) -> str:
    """Return the interval of the slope, cut at the ends of the axis."""
    known = [each for each in fits if each.low_mb is not None and each.high_mb is not None]
    if len(known) < 2:
        return ""
    above = _cut(frame, [(each.iteration, each.high_mb or 0.0) for each in known])
    below = _cut(frame, [(each.iteration, each.low_mb or 0.0) for each in known])
    return f'<path d="{path([*above, *reversed(below)])}Z" fill="{css(style.color)}" opacity=".14"/>'


def _cut(frame: Frame, corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a line's corners as pixels, with one more wherever it leaves the axis, which it then goes along."""
    x, y = frame.x.scale, frame.y.scale
    found = [corners[0]]
    for (at, mb), (until, then) in pairwise(corners):
        shares = sorted(
            (end - mb) / (then - mb) for end in (y.low, y.high) if min(mb, then) < end < max(mb, then)
        )
        found += [(at + (until - at) * share, mb + (then - mb) * share) for share in shares]
        found.append((until, then))
    return [(x.at(at), y.at(mb)) for at, mb in found]


def _readings(frame: Frame, name: str, values: Values, style: SeriesStyle) -> str:
    pixels = [(frame.x.scale.at(at), frame.y.scale.at(mb)) for at, mb in values]
    color = css(style.color)
    line = f'<path d="{path(pixels)}" stroke="{color}" stroke-width="1.2" opacity=".6"{_dash(style)}/>'
    if len(pixels) > _MOST_SYMBOLS:
        return f"<g><title>{text(name)}</title>{line}</g>"
    shapes = "".join(symbol(style.shape, x, y, 2.8) for x, y in pixels)
    return f'<g><title>{text(name)}</title>{line}<path d="{shapes}" fill="{color}"/></g>'


def _fitted(frame: Frame, fits: Sequence[FitPoint], style: SeriesStyle) -> str:
    """Return the line as far as it is between the ends of the axis: bent at them it would have another slope."""
    ends = [(each.iteration, each.fitted_mb) for each in (*fits[:1], *fits[-1:])]
    inside = _inside(frame.y.scale, ends)
    if not inside:
        return ""
    pixels = [(frame.x.scale.at(at), frame.y.scale.at(mb)) for at, mb in inside]
    return f'<path d="{path(pixels)}" stroke="{css(style.color)}" stroke-width="2.5"{_dash(style)}/>'


def _inside(scale: Scale, ends: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the part of a straight line that is within a scale; nothing where no part of it is."""
    if not ends:
        return []
    (at, mb), (until, then) = ends
    if mb == then:
        return list(ends) if scale.low <= mb <= scale.high else []
    enters, leaves = sorted((end - mb) / (then - mb) for end in (scale.low, scale.high))
    shares = max(0.0, enters), min(1.0, leaves)
    if shares[0] >= shares[1]:
        return []
    return [(at + (until - at) * share, mb + (then - mb) * share) for share in shares]


def _end(frame: Frame, last: tuple[int, float]) -> str:
    at, mb = last
    return label(
        frame.x.scale.at(at),
        frame.y.scale.at(mb) + 6,
        "✕",
        "middle",
        "red",
        ' font-size="18" font-weight="700"',
    )


def _dash(style: SeriesStyle) -> str:
    return f' stroke-dasharray="{dashes(style.dash)}"' if style.dash else ""

"""What colours, dashes and shapes of a chart mean, as a line of words with samples beside them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.report.html.charts.palette import Dash, css, styles_of
from orchestrator.report.html.charts.symbols import symbol
from orchestrator.report.html.content import SeriesContent
from orchestrator.report.html.markup import Html, element, joined, text

Kind = Literal["line", "mark", "thick", "box", "fan", "sign"]
_SAMPLE = (28, 12)
_NARROW = ("box", "sign", "mark")


@dataclass(frozen=True, slots=True)
class Key:
    """One entry: words, and how their sample looks. ``sign`` is drawn where the kind is ``sign``."""

    words: str
    color: str
    kind: Kind = "line"
    dash: Sequence[int] = ()
    shape: str = ""
    sign: str = ""


def legend(keys: Sequence[Key]) -> Html:
    """Return the entries in a row that wraps; nothing for none."""
    items = joined([element("li", joined([sample(key), text(key.words)], "")) for key in keys], "")
    return element("ul", items, class_="legend") if keys else Html("")


def series_legend(
    series: Sequence[SeriesContent], shown: Sequence[SeriesContent], *, lines: bool = True
) -> Html:
    """Return which of ``shown`` is drawn how; ``series`` are all of the chart, by which styles are given."""
    styles = zip(series, styles_of([(each.key, each.method) for each in series]), strict=True)
    names = {each.name for each in shown}
    return legend(
        [
            Key(
                each.name,
                own.color,
                "line" if lines else "mark",
                dash=own.dash if lines else (),
                shape=own.shape,
            )
            for each, own in styles
            if each.name in names
        ]
    )


def sample(key: Key) -> Html:
    """Return how an entry's line or mark looks."""
    long, height = _SAMPLE
    width = height if key.kind in _NARROW else long
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return Html(f'<svg {size} aria-hidden="true">{_drawn(key, width, height)}</svg>')


def _drawn(key: Key, width: int, height: int) -> str:
    color, middle = css(key.color), height / 2
    mark = f'<path d="{symbol(key.shape, width / 2, middle, 4)}" fill="{color}"/>' if key.shape else ""
    if key.kind == "mark":
        return mark
    if key.kind == "box":
        return f'<rect width="{width}" height="{height}" rx="2" fill="{color}"/>'
    if key.kind == "fan":
        return f'<path d="M0,{height}L{width},0V{height}L0,0Z" fill="{color}" opacity=".3"/>'
    if key.kind == "sign":
        place = f'x="{middle:g}" y="{height - 1}" text-anchor="middle" font-size="13" font-weight="700"'
        return f'<text {place} fill="{color}">{text(key.sign)}</text>'
    dash = f' stroke-dasharray="{dashes(key.dash)}"' if key.dash else ""
    thick = 3 if key.kind == "thick" else 1.6
    return f'<path d="M0,{middle:g}H{width}" stroke="{color}" stroke-width="{thick}"{dash}/>{mark}'


def dashes(dash: Sequence[int] | Dash) -> str:
    """Return a dash pattern as SVG has it."""
    return " ".join(str(length) for length in dash)

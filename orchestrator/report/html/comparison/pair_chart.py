"""Small pictures of two sides: their readings on one axis, and a difference with its interval. Pure.

Colours are the variables of the style sheet. A is grey and dashed, B coloured and solid, so that they can be told apart
without colour, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.report.html.charts.legend import Key, dashes
from orchestrator.report.html.charts.palette import css
from orchestrator.report.html.comparison.content import MethodRun, MetricRow
from orchestrator.report.html.comparison.words import RESULTS, amount
from orchestrator.report.html.markup import Html, text
from orchestrator.report.html.plain.frame import Scale, number, path, ticks

FIRST_COLOR, SECOND_COLOR = "baseline", "blue"
FIRST_DASH = (5, 3)
_WIDTH, _HEIGHT = 320, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 58, 10, 20
_LINE = 12
"""Pixels between the words at the ends of two lines."""
_OPACITY = 0.65
_MOST_POINTS = 200
_FINE_MB = 10.0
"""Growth below this is written with a decimal."""
_BAR = (96, 18)

KEYS = (
    Key("A", FIRST_COLOR, dash=FIRST_DASH),
    Key("B", SECOND_COLOR, "thick"),
)
BROKE_OFF = Key("broke off", "red", "sign", sign="✕")


@dataclass(frozen=True, slots=True)
class Side:
    """The runs of one side in a chart: growth since their first readings, as (iteration, MB)."""

    letter: str
    runs: Sequence[Sequence[tuple[int, float]]]
    broke_off: Sequence[bool]


def side_of(letter: str, runs: Sequence[MethodRun]) -> Side:
    """Return the growth of a side's runs since the first reading of each, those without a reading left out."""
    known = [each for each in runs if each.readings]
    return Side(
        letter,
        [[(at, mb - each.readings[0][1]) for at, mb in each.readings] for each in known],
        [bool((judged := each.summary.judgement) and judged.verdict == "crashed") for each in known],
    )


def pair_chart(first: Side, second: Side, ends: tuple[float, float], last: int, words: str) -> Html:
    """Return both sides from iteration 1 to ``last``, between the ``ends`` of an axis in MB."""
    x = Scale(1, max(last, 2), _LEFT, _WIDTH - _RIGHT)
    y = Scale(*ends, _HEIGHT - _BOTTOM, _TOP)
    levels = ticks(*ends, 4)
    grid = "".join(f"M{_LEFT},{y.at(level):.1f}H{_WIDTH - _RIGHT}" for level in levels)
    parts = [
        f"<title>{text(words)}</title>",
        f'<path d="{grid}" stroke="{css("rule")}"/>',
        *(_words(_LEFT - 6, y.at(level) + 4, number(level), "end") for level in levels),
        _words(_LEFT, _HEIGHT - 4, "1", "start"),
        _words(_WIDTH - _RIGHT, _HEIGHT - 4, f"{last}", "end"),
        *_lines(second, SECOND_COLOR, x, y),
        *_lines(first, FIRST_COLOR, x, y),  # dashed, and above: where both are the same, both are seen
        *_ends(first, second, y),
    ]
    return Html(f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" fill="none">{"".join(parts)}</svg>')


def _lines(side: Side, color: str, x: Scale, y: Scale) -> Iterable[str]:
    """Return a line a run. Those of B are wide and let through what is below; many of them, one on the other, too."""
    if color == FIRST_COLOR:
        how = f'stroke-width="1.4" stroke-dasharray="{dashes(FIRST_DASH)}"'
    else:
        opacity = 1 - (1 - _OPACITY) ** (1 / max(len(side.runs), 1))
        how = f'stroke-width="4" stroke-linecap="round" stroke-opacity="{opacity:.2f}"'
    for run, broke in zip(side.runs, side.broke_off, strict=True):
        points = [(x.at(at), y.at(mb)) for at, mb in _thinned(run)]
        yield f'<path d="{path(points)}" stroke="{css(color)}" {how}/>'
        if broke:
            yield _words(points[-1][0], points[-1][1] + 4, "✕", "middle", "red", ' font-weight="700"')


def _thinned(run: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return every so manyth reading of a long run, the last one always."""
    every = -(-len(run) // _MOST_POINTS)
    return [run[at] for at in sorted({*range(0, len(run), every), len(run) - 1})]


def _ends(first: Side, second: Side, y: Scale) -> Iterable[str]:
    """Return at the right by how much each side has grown: the mean of its runs, never one over the other."""
    means = {
        (side.letter, color): sum(run[-1][1] for run in side.runs) / len(side.runs)
        for side, color in ((first, FIRST_COLOR), (second, SECOND_COLOR))
        if side.runs
    }
    places = {key: y.at(mean) + 4 for key, mean in means.items()}
    keys = sorted(places, key=lambda key: places[key])
    for upper, lower in pairwise(keys):
        missing = _LINE - (places[lower] - places[upper])
        if missing > 0:
            room = _HEIGHT - _BOTTOM + 4 - places[lower]
            down = min(missing / 2, max(room, 0.0))
            places[lower] += down
            places[upper] -= missing - down
    for letter, color in keys:
        grown = round(means[letter, color], 1 if abs(means[letter, color]) < _FINE_MB else None)
        said = f"{letter} {'+' if grown > 0 else ''}{number(grown)}"
        yield _words(_WIDTH - _RIGHT + 6, places[letter, color], said, "start", color, ' font-weight="600"')


def interval_picture(row: MetricRow) -> Html:
    """Return the difference as a dot on its interval, zero in the middle; shaded: what is too small to count.

    Nothing where no interval is known.
    """
    if row.difference is None or row.low is None or row.high is None:
        return Html("")
    width, height = _BAR
    smallest = row.smallest or 0.0
    reach = 1.1 * max(abs(row.low), abs(row.high), abs(row.difference), smallest, 1e-9)
    x = Scale(-reach, reach, 2, width - 2)
    middle = height / 2
    color = css(RESULTS[row.change][0])
    words = f"B less A: {amount(row, row.difference, signed=True)}, {amount(row, row.low)} to {amount(row, row.high)}"
    shade = (
        f'<rect x="{x.at(-smallest):.1f}" width="{x.at(smallest) - x.at(-smallest):.1f}" y="1" '
        f'height="{height - 2}" fill="{css("rule")}" opacity=".55"/>'
    )
    return Html(
        f'<svg class="interval-bar" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{text(words)}</title>{shade}"
        f'<path d="M{x.at(0):.1f},0V{height}" stroke="{css("muted")}"/>'
        f'<path d="M{x.at(row.low):.1f},{middle:g}H{x.at(row.high):.1f}" stroke="{color}" stroke-width="2"/>'
        f'<circle cx="{x.at(row.difference):.1f}" cy="{middle:g}" r="3.5" fill="{color}"/></svg>'
    )


def _words(x: float, y: float, words: str, anchor: str, color: str = "muted", more: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="11" fill="{css(color)}"{more}>{text(words)}</text>'

"""How long each phase takes under each method: the median, and a line from shortest to longest. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report.html.charts.palette import PHASES, SeriesStyle, css, styles_of
from orchestrator.report.html.charts.still import WIDE
from orchestrator.report.html.charts.symbols import symbol
from orchestrator.report.html.content import PhaseTime, SeriesContent
from orchestrator.report.html.markup import Html, text
from orchestrator.report.html.plain.frame import BOTTOM, RIGHT, TOP, Axis, Frame, Scale, across, label

_ROW = 15
_GAP = 10


def phase_times(series: Sequence[SeriesContent], words: str) -> Html:
    """Return the picture: a row a method in each phase; nothing where nothing was timed."""
    timed = [each for each in series if each.phase_times]
    present = {time.phase for each in timed for time in each.phase_times}
    if not present:
        return Html("")
    styles = dict(
        zip(
            [each.key for each in series],
            styles_of([(each.key, each.method) for each in series]),
            strict=True,
        )
    )
    longest = max(time.longest_s for each in timed for time in each.phase_times)
    block = _ROW * len(timed) + _GAP
    phases = [*(phase for phase in PHASES if phase in present), *sorted(present - PHASES.keys())]
    height = TOP + block * len(phases) + BOTTOM
    frame = Frame(
        WIDE,
        height,
        across(WIDE, 0, max(longest, 1e-3), "Time (s; median, and a line from shortest to longest)"),
        Axis(Scale(0, 1, height - BOTTOM, TOP), (), ""),
    )
    marks = [_words(frame, row, block, phase) for row, phase in enumerate(phases)]
    for each_row, each in enumerate(timed):
        for time in each.phase_times:
            y = TOP + block * phases.index(time.phase) + _GAP / 2 + _ROW * (each_row + 0.5)
            marks.append(_time(frame.x.scale, y, each.name, time, styles[each.key]))
    return frame.drawn(marks, words)


def _words(frame: Frame, row: int, block: int, phase: str) -> str:
    top = TOP + block * row
    line = f'<path d="M{frame.x.scale.start:g},{top}H{frame.width - RIGHT}" stroke="{css("rule")}"/>'
    return line + label(frame.x.scale.start - 8, top + block / 2 + 4, phase, "end")


def _time(x: Scale, y: float, name: str, time: PhaseTime, style: SeriesStyle) -> str:
    color = css(style.color)
    said = f"{name}, {time.phase}: {time.median_s:.3f} s ({time.shortest_s:.3f} to {time.longest_s:.3f})"
    return (
        f"<g><title>{text(said)}</title>"
        f'<path d="M{x.at(time.shortest_s):.1f},{y:.1f}H{x.at(time.longest_s):.1f}" stroke="{color}" '
        f'stroke-width="2" opacity=".55"/>'
        f'<path d="{symbol(style.shape, x.at(time.median_s), y, 4)}" fill="{color}"/></g>'
    )

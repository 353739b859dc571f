"""A picture's frame: axes with round numbers, a grid, titles with units. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from orchestrator.report.html.charts.palette import css
from orchestrator.report.html.charts.still import FONT_SIZE
from orchestrator.report.html.markup import Html, text

LEFT, RIGHT, TOP, BOTTOM = 62, 14, 10, 44
"""Pixels around what is drawn, for numbers and titles."""
_A_HAIR = 1e-9
_NEAR = 0.4
"""Parts of a step: an axis that went on to a number further away would have little on it there."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Takes values from ``low`` to ``high`` to pixels from ``start`` to ``end``; beyond them the ends hold."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        span = self.high - self.low
        share = min(1.0, max(0.0, (value - self.low) / span)) if span > 0 else 0.0
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale with its numbers and its title, which has the unit."""

    scale: Scale
    ticks: Sequence[float]
    title: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The room of a picture in pixels, with both axes."""

    width: int
    height: int
    x: Axis
    y: Axis

    def drawn(self, marks: Iterable[str], words: str) -> Html:
        """Return the picture: the grid, ``marks`` over it, numbers and titles; ``words`` describe it."""
        x, y = self.x.scale, self.y.scale
        top, bottom = min(y.start, y.end), max(y.start, y.end)
        middle = (top + bottom) / 2
        upright = "".join(f"M{x.at(tick):.1f},{top:g}V{bottom:g}" for tick in self.x.ticks)
        level = "".join(f"M{x.start:g},{y.at(tick):.1f}H{x.end:g}" for tick in self.y.ticks)
        turned = f' transform="rotate(-90 14 {middle:g})"' if self.y.title else ""
        parts = [
            f"<title>{text(words)}</title>",
            f'<path d="{upright}{level}M{x.start:g},{bottom:g}H{x.end:g}" stroke="{css("rule")}"/>',
            *marks,
            *(label(x.at(tick), bottom + 17, number(tick), "middle") for tick in self.x.ticks),
            *(label(x.start - 8, y.at(tick) + 4, number(tick), "end") for tick in self.y.ticks),
            label((x.start + x.end) / 2, self.height - 6, self.x.title, "middle", "ink"),
            label(14, middle, self.y.title, "middle", "ink", turned) if self.y.title else "",
        ]
        return Html(
            f'<svg class="still" viewBox="0 0 {self.width} {self.height}" role="img" fill="none" '
            f'font-size="{FONT_SIZE}">{"".join(parts)}</svg>'
        )


def across(width: int, low: float, high: float, title: str, *, left: int = LEFT, whole: bool = False) -> Axis:
    """Return the axis from left to right; ``whole``: of numbers that count."""
    scale = Scale(low, high, left, width - RIGHT)
    most = max(2, (width - left) // 75)
    return Axis(scale, ticks(low, high, most, least=1.0 if whole else 0.0), title)


def upward(height: int, low: float, high: float, title: str) -> Axis:
    """Return the axis from the bottom to the top, its ends at round numbers where these are near."""
    most = max(2, (height - TOP - BOTTOM) // 38)
    low, high = rounded(low, high, most)
    return Axis(Scale(low, high, height - BOTTOM, TOP), ticks(low, high, most + 1), title)


def rounded(low: float, high: float, most: int) -> tuple[float, float]:
    """Return the ends of an axis with ``most`` round numbers: moved to the next one where that is near."""
    step = _step(high - low, most)
    below, above = floor(low / step + _A_HAIR) * step, ceil(high / step - _A_HAIR) * step
    near = step * _NEAR
    return min(low, below if low - below <= near else low), max(high, above if above - high <= near else high)


def ticks(low: float, high: float, most: int, *, least: float = 0.0) -> list[float]:
    """Return round numbers from ``low`` to ``high``, hardly more than ``most``, at least ``least`` apart."""
    step = max(least, _step(high - low, most))
    first, last = ceil(low / step - _A_HAIR), floor(high / step + _A_HAIR)
    return [round(at * step, 9) for at in range(first, last + 1)]


def number(value: float) -> str:
    """Return a number of an axis as people write it."""
    return f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")


def label(x: float, y: float, words: str, anchor: str, color: str = "muted", more: str = "") -> str:
    """Return words beside an axis; ``anchor`` says which end of them is at ``x``."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{css(color)}"{more}>{text(words)}</text>'
    )


def path(points: Iterable[tuple[float, float]]) -> str:
    """Return a line through pixels."""
    return f"M{'L'.join(f'{x:.1f},{y:.1f}' for x, y in points)}"


def _step(span: float, most: int) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that takes at most ``most`` steps."""
    rough = max(span, _A_HAIR) / most
    power = 10.0 ** floor(log10(rough))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - _A_HAIR))

"""Colours, shapes and dashes of the charts.

A colour is written into a chart as a CSS variable, so that the page's style sheet decides what it is on a light
screen, a dark one and on paper; pictures get the light ones filled in. Methods differ by shape and dash as well
as by colour, phases also by their order in the legend. The hues follow Okabe and Ito's set for colour-blind
readers, darkened on white and lightened on black until they stand out (3:1 and more).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.notebook.colors import COLORS

Dash = list[int]


class SeriesStyle(NamedTuple):
    """How one series is drawn in every chart of an experiment."""

    color: str
    dash: Dash
    shape: str


FRESH_AFTER_INFER = "recycle after infer"
"""Stands for a method where the baseline is drawn a second time, read where another method is read."""

_METHODS: dict[str, SeriesStyle] = {
    "recreate": SeriesStyle("orange", [], "circle"),
    "restart": SeriesStyle("blue", [7, 3], "square"),
    "reuse": SeriesStyle("purple", [2, 2], "triangle-up"),
    "recycle": SeriesStyle("baseline", [10, 3, 2, 3], "diamond"),
    "warm": SeriesStyle("green", [12, 3], "cross"),
    FRESH_AFTER_INFER: SeriesStyle("baseline", [2, 3], "triangle-down"),
}
_FURTHER = (
    SeriesStyle("green", [5, 2], "cross"),
    SeriesStyle("gold", [1, 2], "triangle-down"),
    SeriesStyle("sky", [8, 2, 1, 2], "triangle-right"),
    SeriesStyle("red", [3, 3], "triangle-left"),
)

PHASES: dict[str, str] = {
    "spawn": "baseline",
    "load": "blue",
    "infer": "orange",
    "unload": "green",
    "restart": "purple",
    "exit": "gold",
    "trim": "red",
}
PARTS: dict[str, str] = {
    "live heap": "orange",
    "held but free": "sky",
    "outside malloc": "purple",
    "anonymous": "orange",
    "shared memory": "green",
    "file pages": "baseline",
    "swap": "gold",
}


def css(name: str) -> str:
    """Return the colour as a chart or a style names it."""
    return f"var(--{name})"


def styles_of(keys: Sequence[tuple[str, str]]) -> list[SeriesStyle]:
    """Return a style for each (series key, method): the method's own, a further one where it is taken."""
    styles: list[SeriesStyle] = []
    colors = {_METHODS[method].color for _, method in keys if method in _METHODS}
    left = [each for each in _FURTHER if each.color not in colors]
    further = 0
    for _, method in keys:
        own = _METHODS.get(method)
        if own is None or own in styles:
            own = left[further % len(left)]
            further += 1
        styles.append(own)
    return styles


def with_light_colors(text: str) -> str:
    """Return a chart's text with the light colours in place of the variables: for pictures."""
    return re.sub(r"var\(--(\w+)\)", lambda found: COLORS[found[1]].light, text)

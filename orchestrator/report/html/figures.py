"""Charts of a page: each gets a place in the text and its specification in one block of data. Pure.

A chart stands in the page as a picture, and a script puts one in its place that answers to the mouse::

    draw given        Vega's picture, and its specification for the script
    draw not given    an empty place, which the script fills
    plain             our own picture; there is no specification and no script
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from orchestrator.report.html.charts.drawable import drawable
from orchestrator.report.html.charts.engine import HOW_TO_GET, Draw
from orchestrator.report.html.charts.spec import Spec
from orchestrator.report.html.charts.still import WIDE, still_picture, still_spec
from orchestrator.report.html.markup import Html, element, joined, text

SIMPLER_NOW = "Charts are drawn in a simpler form"
SIMPLER = f"{SIMPLER_NOW}; the full ones answer to the mouse: {HOW_TO_GET}"
_NOTHING = Html("")
_FIRST_WORDS = re.compile(r"[.:;](?:\s|$)")


class Figures:
    """Collects the charts of one page; a chart's place is returned when it is added."""

    def __init__(self, draw: Draw | None = None, *, plain: bool = False, simpler: str = SIMPLER) -> None:
        """Take what draws a specification as SVG, or ``plain``: nothing does, and each chart is our own.

        ``simpler`` is said once below such a chart.
        """
        self._draw = draw
        self._plain = plain
        self._simpler = simpler
        self._specs: dict[str, Spec] = {}
        self._said = False

    def __len__(self) -> int:
        return len(self._specs)

    def add(
        self,
        spec: Spec | None,
        caption: str,
        *,
        otherwise: str = "",
        plain: Callable[[], Html] | None = None,
        above: Html = _NOTHING,
        legend: Html = _NOTHING,
        pointing: str = "",
        width: int = WIDE,
    ) -> Html:
        """Return the figure; where there is no chart ``otherwise`` stands in its place.

        Args:
            spec: The chart; None where there is nothing to draw.
            caption: What it shows, in whole sentences; its first words are the picture's title.
            otherwise: A sentence for the place of a chart that there is not.
            plain: Draws the same without Vega; called where a page has to do without.
            above: What its colours mean, before the chart.
            legend: What its kinds of marks mean, after it.
            pointing: What can be done with the mouse, said once the script has drawn.
            width: Pixels that the picture is drawn for.
        """
        if spec is None:
            return element("p", text(otherwise), class_="absent") if otherwise else Html("")
        words = [text(caption)]
        if self._plain:
            drawn = plain() if plain else _NOTHING
            return self._simple(above, drawn, joined([legend, element("figcaption", words[0])]))
        if pointing:
            words.append(Html(f'<span class="pointing" hidden>{text(pointing)}</span>'))
        name = f"chart-{len(self._specs) + 1}"
        self._specs[name] = drawable({**spec, "description": caption})
        still = _NOTHING
        if self._draw is not None:
            title = _FIRST_WORDS.split(caption, maxsplit=1)[0]
            still = still_picture(self._draw(drawable(still_spec(spec, width))), name, title, caption)
        place = Html(f'<div class="chart" id="{name}">{still}</div>')
        return element("figure", joined([above, place, legend, element("figcaption", joined(words, " "))]))

    def _simple(self, above: Html, drawn: Html, below: Html) -> Html:
        more = _NOTHING if self._said else element("p", text(self._simpler), class_="note")
        self._said = True
        return element("figure", joined([above, element("div", drawn, class_="chart"), below, more]))

    def as_json(self) -> str:
        """Return all specifications as JSON that cannot end the script element it stands in."""
        return msgspec.json.encode(self._specs).decode().replace("<", "\\u003c")

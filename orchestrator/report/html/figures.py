"""Charts of a page: each gets a place in the text and its specification in one block of data. Pure."""

from __future__ import annotations

import msgspec

from orchestrator.report.html.charts.spec import Spec
from orchestrator.report.html.markup import Html, element, text


class Figures:
    """Collects the charts of one page; a chart's place is returned when it is added."""

    def __init__(self) -> None:
        self._specs: dict[str, Spec] = {}

    def __len__(self) -> int:
        return len(self._specs)

    def add(self, spec: Spec | None, caption: str, *, otherwise: str = "") -> Html:
        """Return the figure; where there is no chart ``otherwise`` stands in its place."""
        if spec is None:
            return element("p", text(otherwise), class_="absent") if otherwise else Html("")
        name = f"chart-{len(self._specs) + 1}"
        self._specs[name] = {**spec, "description": caption}
        words = element("figcaption", text(caption))
        return element("figure", Html(f'<div class="chart" id="{name}"></div>{words}'))

    def as_json(self) -> str:
        """Return all specifications as JSON that cannot end the script element it stands in."""
        return msgspec.json.encode(self._specs).decode().replace("<", "\\u003c")

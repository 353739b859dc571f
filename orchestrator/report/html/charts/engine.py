"""What Vega does for us through vl-convert: its code for the page, its pictures without a browser.

Imported when a report is made, and only then: it brings a JavaScript engine of its own. It is the extra ``report``;
without it a page has our own simpler charts (:mod:`orchestrator.report.html.plain`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.report.html.charts.palette import with_light_colors

HOW_TO_GET = "pip install 'orchestrator[report]'"
_VEGA_LITE = "6.4"
"""The version that the charts are written for; the page and the pictures both use it."""

Draw = Callable[[dict[str, Any]], str]
"""Draws a specification as SVG, with the colours' variables in it."""


def installed() -> bool:
    """Return whether the charts can be drawn in full."""
    try:
        _vega()
    except ResultsError:
        return False
    return True


@cache
def chart_engine() -> str:
    """Return JavaScript that defines ``vegaEmbed``; takes some seconds the first time.

    Raises:
        ResultsError: The package vl-convert-python is not installed.
    """
    return str(_vega().javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_VEGA_LITE))


def chart_svg(spec: dict[str, Any]) -> str:
    """Return a chart as SVG, its colours still variables.

    Raises:
        ResultsError: The package vl-convert-python is not installed.
    """
    return str(_vega().vegalite_to_svg(spec, vl_version=_VEGA_LITE))


def remembering(draw: Draw) -> Draw:
    """Return ``draw`` that draws each specification once, for pages that share their charts."""
    drawn: dict[bytes, str] = {}

    def remembered(spec: dict[str, Any]) -> str:
        key = msgspec.json.encode(spec)
        if key not in drawn:
            drawn[key] = draw(spec)
        return drawn[key]

    return remembered


def picture_svg(spec: dict[str, Any]) -> str:
    """Return a chart as SVG, in the light colours.

    Raises:
        ResultsError: The package vl-convert-python is not installed.
    """
    return with_light_colors(chart_svg(spec))


def picture_png(svg: str, scale: float = 2.0) -> bytes:
    """Return an SVG picture as PNG, ``scale`` times its size in pixels."""
    return bytes(_vega().svg_to_png(svg, scale=scale))


def _vega() -> ModuleType:
    try:
        import vl_convert  # noqa: PLC0415
    except ImportError as error:
        raise ResultsError(f"drawing charts needs vl-convert-python ({error}): {HOW_TO_GET}") from error
    return vl_convert

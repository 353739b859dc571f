"""What Vega does for us through vl-convert: its code for the page, its pictures without a browser.

Imported when a report is made, and only then: it brings a JavaScript engine of its own.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from orchestrator.errors import ResultsError
from orchestrator.report.html.charts.palette import with_light_colors

_VEGA_LITE = "6.4"
"""The version that the charts are written for; the page and the pictures both use it."""


@cache
def chart_engine() -> str:
    """Return JavaScript that defines ``vegaEmbed``; takes some seconds the first time.

    Raises:
        ResultsError: The package vl-convert-python is not installed.
    """
    return str(_vega().javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_VEGA_LITE))


def picture_svg(spec: dict[str, Any]) -> str:
    """Return a chart as SVG, in the light colours."""
    return with_light_colors(str(_vega().vegalite_to_svg(spec, vl_version=_VEGA_LITE)))


def picture_png(svg: str, scale: float = 2.0) -> bytes:
    """Return an SVG picture as PNG, ``scale`` times its size in pixels."""
    return bytes(_vega().svg_to_png(svg, scale=scale))


def _vega() -> ModuleType:
    try:
        import vl_convert  # noqa: PLC0415
    except ImportError as error:
        raise ResultsError(
            f"a report is drawn by vl-convert-python, which is not there ({error}); pip install vl-convert-python"
        ) from error
    return vl_convert

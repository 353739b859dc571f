"""A chart as a picture that stands in the page: for who runs no scripts, until they have run, and for paper. Pure.

Vega's SVG is written anew with what a browser needs of it: about a quarter of its bytes. Names inside a picture get
the chart's own in front, because all pictures of a page share one space of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, cast
from xml.etree import ElementTree as ET

from orchestrator.report.html.charts.drawable import drawable_text
from orchestrator.report.html.charts.spec import FONT, Spec
from orchestrator.report.html.markup import Html, text

WIDE = 840
"""Width in pixels that a chart is drawn for; the page scales it to its place."""
HALF = 470
"""The same for one of two charts side by side."""
FONT_SIZE = 12
_SVG = "{http://www.w3.org/2000/svg}"
_TAGS = frozenset({"g", "path", "line", "rect", "text", "tspan", "clipPath", "defs"})
_KEPT = frozenset(
    {
        *(
            "x",
            "y",
            "x2",
            "y2",
            "dx",
            "dy",
            "width",
            "height",
            "d",
            "id",
            "transform",
            "clip-path",
            "text-anchor",
        ),
        *("fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity"),
        *("stroke-opacity", "stroke-miterlimit", "font-size", "font-weight", "font-family"),
    }
)
_USUAL = {
    "opacity": "1",
    "fill-opacity": "1",
    "stroke-opacity": "1",
    "stroke-dasharray": "1,0",
    "font-weight": "normal",
    "font-family": FONT,
    "font-size": f"{FONT_SIZE}px",
}
_SEEN_THROUGH = frozenset({"opacity", "fill-opacity", "stroke-opacity"})
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_TRANSLATE = re.compile(r"translate\(([-\d.e]+),([-\d.e]+)\)")

Attributes = dict[str, str]


def still_spec(spec: Spec, width: int) -> Spec:
    """Return the specification as it is drawn without a browser: of a width, and with nothing to point at."""
    quiet = {**spec.get("config", {}), "aria": False}
    return {**_untouched(spec), "width": width, "config": quiet}


def still_picture(svg: str, name: str, title: str, description: str) -> Html:
    """Return Vega's SVG as an element of the page.

    Args:
        svg: What Vega drew.
        name: The chart's, unique in the page.
        title: What it is, in a few words.
        description: The same at length.
    """
    root = ET.fromstring(drawable_text(svg))  # noqa: S314 - drawn a moment ago, by our own specification
    _, _, width, height = root.get("viewBox", "0 0 1 1").split()
    names = f"{name}-title {name}-words"
    symbols = _Symbols(name)
    inner = "".join(_written(each, name, symbols) for each in root)
    return Html(
        f'<svg class="still" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{names}" '
        f'font-size="{FONT_SIZE}"><title id="{name}-title">{text(title)}</title>'
        f'<desc id="{name}-words">{text(description)}</desc>{symbols.defined()}{inner}</svg>'
    )


def _untouched(part: Any) -> Any:
    """Return a part of a specification without tooltips and without what answers to a mouse."""
    if isinstance(part, dict):
        kept = cast("dict[str, Any]", part)
        return {key: _untouched(value) for key, value in kept.items() if key not in {"tooltip", "params"}}
    if isinstance(part, list):
        return [_untouched(each) for each in part]  # pyright: ignore[reportUnknownVariableType]
    return part


class _Symbols:
    """Shapes that stand at many places: written once, and then used."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ids: dict[str, str] = {}

    def use(self, shape: str, x: float, y: float) -> str:
        """Return the shape at a place."""
        found = self._ids.setdefault(shape, f"{self._name}-s{len(self._ids)}")
        return f'<use href="#{found}" x="{_short(x)}" y="{_short(y)}"/>'

    def defined(self) -> str:
        shapes = (f'<path id="{name}" d="{_rounded(shape, 2)}"/>' for shape, name in self._ids.items())
        return f"<defs>{''.join(shapes)}</defs>" if self._ids else ""


def _written(node: ET.Element, name: str, symbols: _Symbols) -> str:
    """Return the element and what is in it; nothing for what is not seen."""
    tag = node.tag.removeprefix(_SVG)
    if tag not in _TAGS or node.get("display") == "none":
        return ""
    kept = _attributes(node, name)
    if tag in {"text", "tspan"}:
        words = text(node.text) if node.text else ""
        within = "".join(_written(each, name, symbols) for each in node)
        return f"<{tag}{_said(_placed(kept))}>{words}{within}</{tag}>" if words or within else ""
    if tag == "rect":
        return f"<rect{_said(kept)}/>"
    inner = _marks(node, name, symbols)
    if not inner:
        return ""
    return inner if tag == "g" and not kept else f"<{tag}{_said(kept)}>{inner}</{tag}>"


def _attributes(node: ET.Element, name: str) -> Attributes:
    kept = {
        key: value
        for key, value in node.attrib.items()
        if key in _KEPT and _USUAL.get(key) != value and value != "translate(0,0)"
    }
    if "id" in kept:
        kept["id"] = f"{name}-{kept['id']}"
    if "clip-path" in kept:
        kept["clip-path"] = kept["clip-path"].replace("#", f"#{name}-")
    if "stroke" not in kept:
        kept = {
            key: value
            for key, value in kept.items()
            if not key.startswith("stroke-") or node.tag == f"{_SVG}g"
        }
    return kept


class _Shape(NamedTuple):
    """A line or path: whether it is a path of its own or one that is used, its look, its drawing.

    Shapes of one look become one element unless they are ``alone``, because one can see through them; of several at
    one ``spot`` the last is drawn.
    """

    kind: str
    look: str
    drawn: str
    spot: str
    alone: bool = False


def _marks(node: ET.Element, name: str, symbols: _Symbols) -> str:
    """Return what is in a group: lines and shapes of one look as one element, at the place of the first."""
    looks: dict[str, dict[str, str]] = {}
    parts: list[str | tuple[str, str]] = []
    for each in node:
        shape = _shape(each, name, symbols)
        if shape is None:
            parts.append(_written(each, name, symbols))
            continue
        look = shape.look
        key = f"{shape.kind}{look}{len(parts) if shape.alone else ''}"
        if key not in looks:
            parts.append((key, f"<g{look}>{{}}</g>" if shape.kind == "use" else f'<path{look} d="{{}}"/>'))
        looks.setdefault(key, {})[shape.spot] = shape.drawn
    return "".join(
        each if isinstance(each, str) else _filled(each[1], looks[each[0]].values()) for each in parts
    )


def _filled(frame: str, drawn: Iterable[str]) -> str:
    before, after = frame.split("{}")
    return f"{before}{''.join(drawn)}{after}"


def _shape(node: ET.Element, name: str, symbols: _Symbols) -> _Shape | None:
    """Return a line or path; None for anything else, and for what has no colour."""
    tag = node.tag.removeprefix(_SVG)
    if tag not in {"path", "line"} or node.get("display") == "none":
        return None
    kept = _attributes(node, name)
    if place := _TRANSLATE.fullmatch(kept.get("transform", "")):
        del kept["transform"]
    x, y = (float(place[1]), float(place[2])) if place else (0.0, 0.0)
    path = kept.pop("d", "")
    if tag == "line":
        path = f"M{_short(x)},{_short(y)}l{_short(kept.pop('x2', 0))},{_short(kept.pop('y2', 0))}"
    if not path or not (kept.get("fill") or kept.get("stroke")):
        return None
    if tag == "path" and place:
        return _Shape("use", _said(kept), symbols.use(path, x, y), f"{path} {x:.0f} {y:.0f}")
    drawn = _rounded(path, 1)
    return _Shape("path", _said(kept), drawn, drawn, alone=bool(_SEEN_THROUGH & kept.keys()))


def _placed(kept: Attributes) -> Attributes:
    """Return a text's attributes with its place as x and y; one that is turned keeps its transform."""
    place = _TRANSLATE.fullmatch(kept.get("transform", ""))
    if place is None:
        return kept
    rest = {key: value for key, value in kept.items() if key != "transform"}
    return {"x": _short(place[1]), "y": _short(place[2]), **rest}


def _said(kept: Attributes) -> str:
    return "".join(f' {key}="{text(_tidy(key, value))}"' for key, value in kept.items())


def _tidy(key: str, value: str) -> str:
    return _rounded(value, 1) if key in {"transform", "x", "y", "x2", "y2", "width", "height"} else value


def _rounded(words: str, decimals: int) -> str:
    return _NUMBER.sub(lambda found: _short(found[0], decimals), words)


def _short(value: str | float, decimals: int = 1) -> str:
    """Return a number in as few characters as the eye needs."""
    written = f"{float(value):.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{float(value):.0f}"
    return "0" if written in {"-0", ""} else written

"""HTML as a type of its own: text becomes HTML here and nowhere else, escaped. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import NewType

Html = NewType("Html", str)
"""Markup. What a user named, or an engine printed, gets into it only through :func:`text`."""


def text(value: object) -> Html:
    """Return ``value`` as text that no browser takes for markup; a dash for None."""
    return Html("–" if value is None else html.escape(str(value), quote=True))


def joined(parts: Iterable[Html], between: str = "\n") -> Html:
    """Return the parts one after the other."""
    return Html(between.join(parts))


def element(name: str, content: Html, **attributes: str) -> Html:
    """Return one element; attributes are escaped, ``class_`` is ``class``, ``aria_label`` is ``aria-label``."""
    names = {key: key.rstrip("_").replace("_", "-") for key in attributes}
    said = "".join(f' {names[key]}="{html.escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{said}>{content}</{name}>")


def bullets(lines: Sequence[str]) -> Html:
    """Return a list of texts, nothing for none."""
    items = joined([element("li", text(line)) for line in lines], "")
    return element("ul", items) if lines else Html("")


def table(headings: Sequence[str], rows: Sequence[Sequence[Html]], class_: str = "") -> Html:
    """Return a table whose first column names the rows; it scrolls where it is wider than the page."""
    head = element("tr", joined([element("th", text(name), scope="col") for name in headings], ""))
    body = joined([_row(row) for row in rows])
    whole = element("table", Html(f"<thead>{head}</thead><tbody>{body}</tbody>"), class_=class_)
    return element("div", whole, class_="scroll")


def facts(pairs: Mapping[str, object]) -> Html:
    """Return names and values as a two-column table."""
    rows = joined(
        [
            Html(f"<tr>{element('th', text(name), scope='row')}{element('td', text(_plain(value)))}</tr>")
            for name, value in pairs.items()
        ]
    )
    return element("div", element("table", Html(f"<tbody>{rows}</tbody>"), class_="facts"), class_="scroll")


def folded(title: str, content: Html, *, open_: bool = False) -> Html:
    """Return content that opens and closes on a click."""
    return Html(f"<details{' open' if open_ else ''}><summary>{text(title)}</summary>{content}</details>")


def _row(cells: Sequence[Html]) -> Html:
    first = element("th", cells[0], scope="row")
    return element("tr", joined([first, *(element("td", cell) for cell in cells[1:])], ""))


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or None  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    return value

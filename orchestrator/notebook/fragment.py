"""A piece of HTML that stands in somebody else's page: a notebook's. Pure.

It is whole by itself: no script, nothing that is fetched, and a style sheet whose every rule holds inside the piece
only. It has no ground of its own, so that it looks the same in every theme; its colours follow the theme where the page
tells it (JupyterLab, VS Code, Colab, and our site), else what the browser prefers. Where a viewer takes the style away,
as forges do, plain tables are left.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.notebook.colors import variables
from orchestrator.notebook.marks import Mark

CLASS = "orchestrator-shown"
_LIGHT_THEMES = (
    '[data-jp-theme-light="true"]',
    "body.vscode-light",
    "html[theme=light]",
    "body[data-theme=light]",
)
_DARK_THEMES = (
    '[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "html[theme=dark]",
    "body[data-theme=dark]",
)
_RULES: Mapping[str, str] = {
    "": "color:var(--ink);font:14px/1.5 system-ui,'Noto Sans','Noto Sans CJK TC',sans-serif;overflow-x:auto",
    " p": "margin:.2em 0 .5em",
    " .said": "font-weight:600",
    " .note": "color:var(--muted);font-size:12px",
    " ul": "margin:.3em 0;padding-left:1.3em;color:var(--muted)",
    " table": "border-collapse:collapse;margin:.3em 0;font-size:13px;font-variant-numeric:tabular-nums",
    " tr": "background:none",
    " th, td": "padding:.25em .8em;text-align:left;vertical-align:middle;border:0;color:inherit;background:none",
    " thead th": "color:var(--muted);font-weight:500;border-bottom:1px solid var(--muted)",
    " tbody th": "font-weight:600",
    " td.right": "text-align:right",
    " .rows td": "white-space:nowrap",
    " tbody tr.first > *": "border-top:1px solid var(--rule)",
    " .badge": "display:inline-block;margin:.1em 0;padding:.05em .6em;border:1.5px solid;border-radius:1em;"
    "font-weight:650;white-space:nowrap",
    " .badge.red": "color:var(--red)",
    " .badge.gold": "color:var(--gold)",
    " .badge.green": "color:var(--green)",
    " .badge.muted": "color:var(--muted)",
    " svg.spark": "display:block",
}


class Markup(str):
    """What is markup already, made by functions of ours, and is not escaped again."""

    __slots__ = ()


def escaped(value: object) -> str:
    """Return ``value`` as text that no browser takes for markup; a dash for None."""
    if isinstance(value, Markup):
        return value
    return "–" if value is None else html.escape(str(value), quote=True)


def fragment(*parts: str) -> str:
    """Return these pieces of markup as one that stands by itself."""
    body = "\n".join(part for part in parts if part)
    return f'<div class="{CLASS}"><style>{_style()}</style>\n{body}\n</div>'


def paragraph(words: str, class_: str = "") -> str:
    """Return a line of text, escaped."""
    return f"<p{_class(class_)}>{escaped(words)}</p>"


def badge(mark: Mark) -> Markup:
    """Return a verdict's word in its colour; the sign says the same to who does not see colours."""
    return Markup(
        f'<span class="badge {escaped(mark.color)}">{escaped(mark.sign)} {escaped(mark.word)}</span>'
    )


def list_of(lines: Sequence[str]) -> str:
    """Return a list of texts, escaped; nothing for none."""
    return f"<ul>{''.join(f'<li>{escaped(line)}</li>' for line in lines)}</ul>" if lines else ""


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[object]], class_: str = "") -> str:
    """Return a table of texts and numbers, escaped; numbers stand to the right."""
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table{_class(class_)}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    shown = f"{value:.6g}" if isinstance(value, float) else value
    return f"<td{_class('right' if number else '')}>{escaped(shown)}</td>"


def _class(name: str) -> str:
    return f' class="{escaped(name)}"' if name else ""


def _style() -> str:
    rules = "".join(f"{_selector(where)}{{{said}}}" for where, said in _RULES.items())
    light, dark = variables(dark=False), variables(dark=True)
    return (
        f".{CLASS}{{{light}}}@media screen and (prefers-color-scheme:dark){{.{CLASS}{{{dark}}}}}"
        f"{_themed(_LIGHT_THEMES, light)}{_themed(_DARK_THEMES, dark)}{rules}"
    )


def _selector(where: str) -> str:
    return ",".join(f".{CLASS} {each.strip()}".rstrip() for each in where.split(","))


def _themed(themes: Sequence[str], colors: str) -> str:
    return f"{','.join(f'{theme} .{CLASS}' for theme in themes)}{{{colors}}}"

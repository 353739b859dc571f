"""The shell that every page of ours stands in: head, style, security policy, charts' data and code. Pure.

Everything stands in the one file, and its content security policy lets the browser neither fetch anything nor
run any script but those whose hashes it names.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from orchestrator.notebook.colors import variables
from orchestrator.report.html.figures import Figures
from orchestrator.report.html.markup import Html, text


def document(title: str, body: Html, figures: Figures, engine: str | None, *, style: str = "") -> str:
    """Return the whole page as one file.

    Args:
        title: What the window is called.
        body: What the page shows, with the places of its charts.
        figures: The charts whose places are in ``body``.
        engine: JavaScript that defines ``vegaEmbed``, see :meth:`orchestrator.report.html.charts.engine.Drawing.code`;
            None for a page whose charts are all SVG.
        style: A page's own style sheet, after that of all pages.
    """
    charts = engine is not None and len(figures) > 0
    scripts = [_asset("page.js")]
    if engine is not None and charts:
        scripts.insert(0, engine.replace("</script", "<\\/script"))
    data = f'<script type="application/json" id="charts">{figures.as_json()}</script>' if charts else ""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(*scripts, charts=charts)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<link rel="icon" href="data:,">',
            f"<title>{text(title)}</title>",
            f"<style>{_style()}{style}</style>",
            "</head>",
            f"<body>{body}",
            data,
            *(f"<script>{script}</script>" for script in scripts),
            "</body>",
            "</html>",
            "",
        ]
    )


def _style() -> str:
    light, dark = variables(dark=False), variables(dark=True)
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{_asset('style.css')}"


def _policy(*scripts: str, charts: bool) -> str:
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    # Vega makes functions of its expressions; they are ours, never a user's words.
    functions = " 'unsafe-eval'" if charts else ""
    return (
        f"default-src 'none'; script-src {hashes}{functions}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _asset(name: str) -> str:
    return (files("orchestrator.report.html") / name).read_text(encoding="utf-8")

"""Leak sites as an icicle in SVG: callers above, the allocating function below, width = bytes per iteration. Pure.

::

    all sites        ├──────────────────────────────────────────┤
    transcribe       ├──────────────────────────────────────────┤
    Model::run       ├────────────────────────────┤├────────────┤
    get_shape        ├────────────────────────────┤              the engine's own first frame has a border

It needs no script: each frame has its whole text as its title, which browsers show and screen readers read. Colours are
those of the page, so they follow light, dark and paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from orchestrator.analysis.locating import words
from orchestrator.analysis.locating.frames import Frame, public_path
from orchestrator.analysis.locating.located import Site
from orchestrator.report.html.markup import Html, element, joined, text

MOST_SITES = 60
MOST_ROWS = 24
LONGEST_TITLE = 600
WIDTH = 1000
ROW = 22
LEAST_WIDTH = 2.0
"""Narrower frames are not drawn: nobody could point at them."""
LEAST_BORDERED = 8.0
_LETTER = 6.6
"""Width of a letter of the label's typeface, in units of the drawing."""
_PAD = 5


@dataclass
class _Node:
    """One frame with all that was reached through it; ``frame`` is None where there was none."""

    label: str
    title: str
    kind: str
    size: float = 0.0
    inner: dict[tuple[str, str, int], _Node] = field(default_factory=dict[tuple[str, str, int], "_Node"])


def icicle(sites: Sequence[Site], unit: str) -> Html:
    """Return the drawing; empty where no site keeps anything. ``unit`` is what the rates are per."""
    growing = [site for site in sites if site.held.per_iteration > 0]
    total = sum(site.held.per_iteration for site in growing)
    if not growing or total <= 0:
        return Html("")
    root = _Node(f"all sites: {words.size_words(total)} per {unit}", "", "all", total)
    for site in sorted(growing, key=lambda site: -site.held.per_iteration)[:MOST_SITES]:
        _add(root, site)
    depth = _depth(root)
    drawn: list[Html] = []
    _draw(root, 0.0, 0, WIDTH / total, unit, drawn)
    return element(
        "svg",
        joined(drawn, ""),
        class_="icicle",
        viewBox=f"0 0 {WIDTH} {depth * ROW}",
        role="img",
        aria_label=f"{len(growing)} leak sites by bytes per {unit}, callers above the functions that they call",
    )


def shown_frames(site: Site) -> list[Frame]:
    """Return the frames of a site's stack that say something, innermost first; of a deep one the inner ones."""
    telling = [frame for frame in site.stack if frame.says_something] or list(site.frames)
    once = [
        next(same) for _, same in groupby(telling, key=lambda frame: (frame.place, frame.file, frame.line))
    ]
    return once[: MOST_ROWS - 1]


def _add(root: _Node, site: Site) -> None:
    frames = shown_frames(site)
    own = next((frame for frame in frames if not frame.python), None)
    node = root
    for frame in reversed(frames):
        node = node.inner.setdefault(
            (frame.place, frame.file, frame.line if frame.python else 0), _node(frame, own=frame is own)
        )
        node.size += site.held.per_iteration


def _node(frame: Frame, *, own: bool) -> _Node:
    where = f"{public_path(frame.file)}:{frame.line}" if frame.file and frame.line else ""
    module = f"[{frame.module}{f' {frame.build_id[:12]}' if frame.build_id else ''}]" if frame.module else ""
    title = "  ".join(filter(None, (frame.place, where, module)))
    kind = "own" if own else "python" if frame.python else "native"
    return _Node(_brief(frame), title, kind)


def _brief(frame: Frame) -> str:
    name = words.short_name(frame.place)
    return f"{name}  {public_path(frame.file)}:{frame.line}" if frame.python else name


def _depth(node: _Node) -> int:
    """Return how many rows a node needs; no deeper than ``MOST_ROWS``, by what is shown of a stack."""
    return 1 + max((_depth(each) for each in node.inner.values()), default=0)


def _draw(node: _Node, x: float, row: int, scale: float, unit: str, drawn: list[Html]) -> None:
    width = node.size * scale
    if width < LEAST_WIDTH:
        return
    share = f"{words.size_words(node.size)} per {unit}, {100 * width / WIDTH:.3g} %"
    full = node.title if len(node.title) <= LONGEST_TITLE else f"{node.title[:LONGEST_TITLE]}…"
    title = element("title", text(f"{full}\n{share}" if full else node.label))
    box = element(
        "rect", Html(""), x=f"{x:.2f}", y=str(row * ROW), width=f"{width - 0.8:.2f}", height=str(ROW - 1)
    )
    letters = int((width - 2 * _PAD) / _LETTER)
    label = node.label if len(node.label) <= letters else f"{node.label[: max(0, letters - 1)]}…"
    parts = [title, box]
    if letters >= 3:
        parts.append(element("text", text(label), x=f"{x + _PAD:.2f}", y=str(row * ROW + 15)))
    bordered = width >= LEAST_BORDERED or node.kind != "own"
    drawn.append(element("g", joined(parts, ""), class_=node.kind if bordered else "native"))
    for inner in sorted(node.inner.values(), key=lambda each: -each.size):
        _draw(inner, x, row + 1, scale, unit, drawn)
        x += inner.size * scale

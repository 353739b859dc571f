"""What all drawings share: colours for light and dark screens, one style, and a few shapes.

A drawing brings its own background. Then it can be read also where a page is dark and the screen is not, as with a
site's own switch, which an image does not hear of. There are no variables of CSS in it, so that programs which know
less than a browser draw it too.
"""

from __future__ import annotations

from html import escape

PALETTE: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14171a"),
    "ink": ("#1b1f24", "#e8eaed"),
    "quiet": ("#59636e", "#a3acb8"),
    "rule": ("#d5dae0", "#3a4049"),
    "orange": ("#b34700", "#ff9a56"),
    "blue": ("#0069a8", "#62b8ee"),
    "grey": ("#4b5563", "#c3cad4"),
    "orange-tint": ("#fdeee2", "#3a2413"),
    "blue-tint": ("#e4f1fa", "#122c40"),
    "grey-tint": ("#f0f2f4", "#262b31"),
}
"""Each colour on a light screen and on a dark one."""
WRITTEN = ("ink", "quiet", "orange", "blue", "grey")
"""Colours of words and lines."""
SURFACES = ("paper", "orange-tint", "blue-tint", "grey-tint")
"""Colours that words stand on."""

_FIXED = (
    "text{font:14px system-ui,sans-serif}.small{font-size:12px}.bold{font-weight:600}"
    "line,polyline,path{fill:none;stroke-width:1.5}.thick{stroke-width:2.5;stroke-linejoin:round}"
    ".dashed{stroke-dasharray:7 4}"
)


def style() -> str:
    """Return the style sheet: fixed parts, then the colours of light and of dark screens."""
    return f"{_FIXED}\n{_colors(0)}\n@media(prefers-color-scheme:dark){{{_colors(1)}}}"


def _colors(screen: int) -> str:
    rules = [f"text{{fill:{PALETTE['ink'][screen]}}}"]
    for name in WRITTEN:
        color = PALETTE[name][screen]
        rules.append(
            f"text.{name},.{name}-fill{{fill:{color}}}line.{name},polyline.{name},path.{name}{{stroke:{color}}}"
        )
    rules.append(f".rule{{stroke:{PALETTE['rule'][screen]}}}")
    for name in SURFACES:
        edge = PALETTE["rule" if name == "paper" else name.removesuffix("-tint")][screen]
        rules.append(f"rect.{name}{{fill:{PALETTE[name][screen]};stroke:{edge}}}")
    rules.append(f"rect.dashed{{stroke:{PALETTE['grey'][screen]}}}")
    return "".join(rules)


class Canvas:
    """A drawing under way: shapes are put on it one after the other, later ones above.

    Lengths are in the units of the picture, which is ``width`` by ``height``. Where a method takes ``kind``, it is
    one or more classes of the style, such as ``blue``, ``quiet small`` or ``orange dashed``.

    Args:
        width: Width.
        height: Height.
        title: What it shows, in one line.
        described: The same for somebody who does not see it: everything the drawing says.
    """

    def __init__(self, width: int, height: int, title: str, described: str) -> None:
        self.width = width
        self.height = height
        self._shapes: list[str] = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            'aria-labelledby="title described">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="described">{escape(described)}</desc>',
            f"<style>\n{style()}\n</style>",
            f'<rect class="paper" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        ]

    def box(self, left: float, top: float, width: float, height: float, kind: str) -> None:
        """Draw a rectangle with round corners."""
        self._shapes.append(
            f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="5"/>'
        )

    def words(self, x: float, y: float, text: str, kind: str = "ink", anchor: str = "start") -> None:
        """Write a line of text; ``anchor`` says what of it stands at ``x``: its start, middle or end."""
        where = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._shapes.append(f'<text class="{kind}" x="{x:g}" y="{y:g}"{where}>{escape(text)}</text>')

    def lines(self, x: float, y: float, texts: list[str], kind: str = "ink", anchor: str = "start") -> None:
        """Write several lines of text, one below the other."""
        for at, text in enumerate(texts):
            self.words(x, y + 17 * at, text, kind, anchor)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """Draw a straight line."""
        self._shapes.append(f'<line class="{kind}" x1="{x1:g}" x2="{x2:g}" y1="{y1:g}" y2="{y2:g}"/>')

    def curve(self, points: list[tuple[float, float]], kind: str) -> None:
        """Draw a line through points."""
        along = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shapes.append(f'<polyline class="{kind}" points="{along}"/>')

    def arrow(self, x1: float, y1: float, x2: float, y2: float, kind: str = "grey") -> None:
        """Draw an arrow to the second point; it is level or upright."""
        self.line(x1, y1, x2, y2, kind)
        across, down = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
        back_x, back_y = x2 - 9 * across, y2 - 9 * down
        side_x, side_y = 4.5 * abs(down), 4.5 * abs(across)
        self._shapes.append(
            f'<polygon class="{kind.split(maxsplit=1)[0]}-fill" points="{x2:g},{y2:g} '
            f'{back_x + side_x:g},{back_y + side_y:g} {back_x - side_x:g},{back_y - side_y:g}"/>'
        )

    def bracket(self, left: float, right: float, y: float, opens: int, kind: str) -> None:
        """Draw a bracket over a part of the width; it opens down (1) or up (-1)."""
        ends = f"M{left:g} {y + 9 * opens:g}V{y:g}H{right:g}V{y + 9 * opens:g}"
        self._shapes.append(f'<path class="{kind}" d="{ends}"/>')

    def svg(self) -> str:
        """Return the drawing."""
        return "\n".join([*self._shapes, "</svg>", ""])

"""What a load costs cold and warm, and what a fork shares."""

from __future__ import annotations

from pictures.canvas import Canvas

TITLE = "Warm starts: one process loads the model, and each worker is a fork of it"
DESCRIBED = (
    "Above, time. Cold: each process starts, loads the model and only then does its job. Warm: a process called the "
    "template starts and loads once; each worker is forked from it and begins its job at once. Below, memory: the "
    "template has pages A to F. Worker 1 shares all of them but B, which it has written to, so that it has a copy of "
    "its own; worker 2 has copies of its own of D and E. A page that nobody writes to is there once for all."
)
_PAGES = "ABCDEF"


def draw() -> str:
    """Return the drawing as SVG."""
    canvas = Canvas(720, 420, TITLE, DESCRIBED)
    _time(canvas)
    _memory(canvas)
    return canvas.svg()


def _time(canvas: Canvas) -> None:
    canvas.words(24, 32, "Time", "ink bold")
    canvas.words(24, 69, "cold", "ink")
    for left in (100.0, 400.0):
        _stretch(canvas, left, 48, 44, "start", "grey-tint")
        _stretch(canvas, left + 44, 48, 152, "load the model", "orange-tint")
        _stretch(canvas, left + 196, 48, 96, "job", "blue-tint")
    canvas.words(24, 121, "warm", "ink")
    _stretch(canvas, 100, 100, 44, "start", "grey-tint")
    _stretch(canvas, 144, 100, 152, "load the model", "orange-tint")
    canvas.words(100, 152, "the template, once", "quiet small")
    for left in (306.0, 436.0, 566.0):
        _stretch(canvas, left, 100, 20, "", "grey-tint")
        _stretch(canvas, left + 20, 100, 106, "job", "blue-tint")
        canvas.words(left, 152, "fork", "quiet small")
    canvas.line(24, 174, 696, 174, "rule")


def _stretch(canvas: Canvas, left: float, top: float, width: float, text: str, kind: str) -> None:
    canvas.box(left, top, width - 2, 34, kind)
    canvas.words(left + width / 2 - 1, top + 22, text, "ink small", "middle")


def _memory(canvas: Canvas) -> None:
    canvas.words(24, 206, "Memory, in pages", "ink bold")
    for top, name, own in ((222, "template", ""), (278, "worker 1", "B"), (334, "worker 2", "DE")):
        canvas.words(24, top + 26, name, "ink")
        for at, page in enumerate(_PAGES):
            left = 120 + at * 66
            mine = page in own or not own
            canvas.box(left, top, 58, 38, ("orange-tint" if own else "blue-tint") if mine else "paper dashed")
            label = f"{page}'" if page in own else page
            canvas.words(left + 29, top + 25, label, "ink bold" if mine else "quiet", "middle")
    canvas.lines(532, 240, ["loaded once"], "blue small")
    canvas.lines(532, 294, ["wrote to B: a copy", "of its own"], "orange small")
    canvas.lines(532, 350, ["wrote to D and E"], "orange small")
    canvas.words(
        120,
        398,
        "Dashed: the template's page, shared, taking no memory. Drawn, not measured.",
        "quiet small",
    )

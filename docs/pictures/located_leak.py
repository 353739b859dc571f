"""Where hiredis 3.1.0 leaks: the stack that keeps memory, as wide as what it keeps, from the recorded run."""

from __future__ import annotations

import json
from pathlib import Path

from pictures.canvas import Canvas

RECORD = Path(__file__).resolve().parents[2] / "benchmarks/results/locate_packages.json"
TITLE = "Where hiredis 3.1.0 leaks: one call stack keeps 192 of 314 bytes per call"
_LEFT, _WIDTH, _TOP, _ROW = 24.0, 672.0, 62.0, 30.0


def draw() -> str:
    """Return the drawing as SVG."""
    found = json.loads(RECORD.read_text("utf-8"))["packages"]["hiredis"]["3.1.0"]
    (site,) = found["sites"]
    total, kept, passed_on = (
        found["measured_bytes_per_call"],
        site["bytes_per_call"],
        found["passed_on_bytes_per_call"],
    )
    frames = [frame.partition(" [")[0] for frame in reversed(site["frames"])]
    wide, beside = _WIDTH * kept / total, _WIDTH * passed_on / total
    described = (
        "Boxes, callers above what they call, as wide as the bytes they keep. The top box is the measured growth, "
        f"{total:.0f} bytes per call. Below it the stack {', '.join(frames)} keeps {kept:.0f} bytes "
        f"({found['explained_percent']:.0f} %); the last, {frames[-1]}, allocates them. Beside it the interpreter "
        f"keeps {passed_on:.0f} bytes for reuse; of {total - kept - passed_on:.0f} bytes nothing is known."
    )
    canvas = Canvas(720, int(_TOP + _ROW * (len(frames) + 1) + 52), TITLE, described)
    canvas.words(_LEFT, 36, f"hiredis 3.1.0, {total:.0f} bytes per call grow, and this is where", "ink bold")
    _box(canvas, _LEFT, _TOP, _WIDTH, f"measured growth: {total:.0f} bytes per call", "grey-tint")
    for at, frame in enumerate(frames, 1):
        own = at == len(frames)
        said = f"{frame}: {kept:.0f} bytes, {found['explained_percent']:.0f} %" if own else frame
        _box(canvas, _LEFT, _TOP + at * _ROW, wide, said, "orange-tint", bold=own)
    _box(canvas, _LEFT + wide, _TOP + _ROW, beside, f"kept for reuse: {passed_on:.0f} bytes", "blue-tint")
    bottom = _TOP + _ROW * (len(frames) + 1) + 28
    canvas.box(_LEFT, bottom - 11, 14, 12, "orange-tint")
    canvas.words(_LEFT + 20, bottom, "the call stack; its last function allocates", "quiet small")
    canvas.box(330, bottom - 11, 14, 12, "blue-tint")
    canvas.words(350, bottom, "free lists and caches of the interpreter", "quiet small")
    return canvas.svg()


def _box(
    canvas: Canvas, left: float, top: float, width: float, said: str, kind: str, *, bold: bool = False
) -> None:
    canvas.box(left, top, round(width - 2, 1), _ROW - 3, kind)
    canvas.words(round(left + 8, 1), top + 19, said, "ink bold" if bold else "ink")

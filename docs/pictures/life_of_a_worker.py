"""The states of a worker, and the memory of one and its successor."""

from __future__ import annotations

from pictures.canvas import Canvas

TITLE = "The life of a worker: it starts, loads, works, grows, and is replaced without a gap"
DESCRIBED = (
    "Above, the states: starting, loading, idle, busy, leaving, gone; between idle and busy a worker goes back and "
    "forth, once for each job. A worker that crashes is gone from any state. Below, memory over time: the first "
    "process loads its model and grows a little with every job. When it comes near the limit of its recycling rule, "
    "the second process starts and loads beside it. Then the first leaves and gives all its memory back, and the "
    "second works on from the size of a fresh process."
)
STATES = ("starting", "loading", "idle", "busy", "leaving", "gone")
"""In the order of a life without faults; the names are those of logs and statistics."""
_LEFT, _RIGHT, _FLOOR, _LIMIT = 64, 696, 344, 204
_REPLACED = _LEFT + 46 + 13 * 24


def draw() -> str:
    """Return the drawing as SVG."""
    canvas = Canvas(720, 396, TITLE, DESCRIBED)
    _states(canvas)
    _memory(canvas)
    return canvas.svg()


def _states(canvas: Canvas) -> None:
    width, gap = 88, 28.8
    for at, state in enumerate(STATES):
        left = 24 + at * (width + gap)
        canvas.box(left, 28, width, 38, "blue-tint" if state in {"idle", "busy"} else "grey-tint")
        canvas.words(left + width / 2, 52, state, "ink", "middle")
        if not at:
            continue
        if state == "busy":
            canvas.arrow(left - gap, 40, left, 40, "blue")
            canvas.arrow(left, 54, left - gap, 54, "blue")
        else:
            canvas.arrow(left - gap, 47, left, 47)
    canvas.words(24, 88, "handshake", "quiet small")
    canvas.words(140.8, 88, "its model", "quiet small")
    canvas.words(316, 88, "once for each job", "quiet small")
    canvas.words(491.2, 88, "gives back", "quiet small")
    canvas.words(608, 88, "after a crash,", "quiet small")
    canvas.words(608, 104, "from any state", "quiet small")


def _memory(canvas: Canvas) -> None:
    canvas.words(24, 136, "Memory", "ink bold")
    canvas.line(_LEFT, _FLOOR, _RIGHT, _FLOOR, "rule")
    canvas.words(_RIGHT, _FLOOR + 20, "time", "quiet small", "end")
    canvas.line(_LEFT, _LIMIT, _RIGHT, _LIMIT, "grey dashed")
    canvas.words(_LEFT, _LIMIT - 8, "limit, such as max_rss", "grey small")
    canvas.curve(_grown(_LEFT, jobs=13, leaves=True), "orange thick")
    canvas.curve(_grown(356, jobs=9, leaves=False), "blue thick")
    canvas.words(176, 306, "1st process", "orange")
    canvas.words(176, 324, "grows with each job", "quiet small")
    canvas.words(470, 306, "2nd process", "blue")
    canvas.words(470, 324, "begins at the size of a fresh one", "quiet small")
    canvas.words(356, 362, "starts and loads", "blue small")
    canvas.line(_REPLACED, 160, _REPLACED, _FLOOR, "rule")
    canvas.words(_REPLACED, 152, "replaced: all memory is given back", "ink small", "middle")
    canvas.words(24, 380, "Drawn, not measured.", "quiet small")


def _grown(left: float, *, jobs: int, leaves: bool) -> list[tuple[float, float]]:
    """Return the path of a worker's memory: load, then a step with each job, then its end."""
    points = [(left, float(_FLOOR)), (left + 14, 330.0), (left + 40, 300.0)]
    x, y = left + 46, 300.0
    for _ in range(jobs):
        points += [(x, y), (x + 6, y - 13), (x + 18, y - 6)]
        x, y = x + 24, y - 6
    points.append((x, y))
    return [*points, (points[-1][0], float(_FLOOR))] if leaves else points

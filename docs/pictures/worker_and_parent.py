"""Which processes there are, and what goes between them."""

from __future__ import annotations

from pictures.canvas import Canvas

TITLE = "A parent process and its workers: jobs and results go through pipes, memory is read from outside"
DESCRIBED = (
    "On the left your process: your code, and in it the pool with a queue of jobs, a loop that decides, and your "
    "results. On the right two worker processes, each with a native library and one loaded model, and a third, drawn "
    "dashed, that starts and loads to succeed the first. Jobs go to the workers and results come back through "
    "pipes, as msgpack. Below, a process of its own reads the workers' memory from /proc, and the pool gets the "
    "readings. A crash, a hang or a leak stays within one worker."
)


def draw() -> str:
    """Return the drawing as SVG."""
    canvas = Canvas(720, 412, TITLE, DESCRIBED)
    _your_process(canvas)
    _workers(canvas)
    _between(canvas)
    return canvas.svg()


def _your_process(canvas: Canvas) -> None:
    canvas.words(24, 32, "Your process", "ink bold")
    canvas.box(24, 44, 236, 252, "grey-tint")
    for top, name, what in (
        (60, "Your code", "submits jobs, gets results"),
        (140, "Queue", "bounded: a fast caller waits"),
        (220, "The pool's loop", "which worker, which limit"),
    ):
        canvas.box(44, top, 196, 58, "paper")
        canvas.words(56, top + 24, name, "ink bold")
        canvas.words(56, top + 44, what, "quiet small")
    canvas.arrow(142, 118, 142, 139)
    canvas.arrow(142, 198, 142, 219)


def _workers(canvas: Canvas) -> None:
    canvas.words(460, 32, "Workers: a process each", "ink bold")
    for top, name, kind in (
        (44, "Worker 1, its 3rd process", "blue"),
        (136, "Worker 2, its 1st process", "blue"),
    ):
        canvas.box(460, top, 236, 76, f"{kind}-tint")
        canvas.words(474, top + 24, name, "blue bold")
        canvas.words(474, top + 44, "native library, one model", "ink")
        canvas.words(474, top + 63, "a leak or a crash stays in here", "quiet small")
    canvas.box(460, 228, 236, 68, "paper dashed")
    canvas.words(474, 254, "Worker 1, its 4th process", "blue bold")
    canvas.words(474, 276, "loads, while the 3rd still works", "quiet small")


def _between(canvas: Canvas) -> None:
    for top in (70, 162):
        canvas.arrow(262, top, 458, top, "blue")
        canvas.arrow(458, top + 22, 262, top + 22, "blue")
    canvas.words(360, 62, "jobs", "blue small", "middle")
    canvas.words(360, 108, "results, pieces of text", "blue small", "middle")
    canvas.words(360, 154, "msgpack through pipes,", "quiet small", "middle")
    canvas.words(360, 200, "no pickle", "quiet small", "middle")
    canvas.box(24, 338, 672, 56, "orange-tint")
    canvas.words(40, 362, "Sampling process", "orange bold")
    canvas.words(
        40,
        381,
        "reads each worker's memory from /proc every 20 ms; this costs the worker no memory",
        "ink small",
    )
    canvas.arrow(578, 298, 578, 336, "orange")
    canvas.words(568, 321, "memory, from outside", "orange small", "end")
    canvas.arrow(142, 336, 142, 298, "orange")
    canvas.words(152, 321, "readings", "orange small")

"""The parts of resident memory, and which of them a leak can hide in."""

from __future__ import annotations

from typing import NamedTuple

from pictures.canvas import Canvas

TITLE = "What RSS is made of, and what the leak series counts"
DESCRIBED = (
    "One bar with six parts: file pages, live heap, held heap, memory outside malloc, shared memory, and swapped "
    "memory. RSS is the first five: all that is in RAM. The leak series is the last five: it leaves file pages out, "
    "which the kernel can drop, and counts swapped memory, which is still in use. File pages and held heap are no "
    "leak: the kernel or a trim takes them back. Live heap, memory outside malloc, shared memory and what of them is "
    "swapped out are a leak if they grow with every job. Only the allocator tells live heap from held heap."
)


class _Part(NamedTuple):
    width: float
    name: tuple[str, str]
    kind: str
    said: tuple[str, ...]


_PARTS = (
    _Part(104, ("file", "pages"), "grey-tint", ("weights and", "libraries;", "the kernel", "drops them")),
    _Part(136, ("live heap", "not freed"), "orange-tint", ("a leak, if it", "grows with", "every job")),
    _Part(124, ("held heap", "freed, kept"), "blue-tint", ("kept for reuse;", "a trim gives", "it back")),
    _Part(112, ("outside", "malloc"), "orange-tint", ("mmap, stacks,", "buffers: a leak,", "if it grows")),
    _Part(100, ("shared", "memory"), "orange-tint", ("memfd, CUDA:", "a leak, if it", "grows")),
    _Part(96, ("swapped", "out"), "orange-tint", ("not in RAM,", "still in use")),
)


def draw() -> str:
    """Return the drawing as SVG."""
    canvas = Canvas(720, 312, TITLE, DESCRIBED)
    left, top = 24.0, 92.0
    edges = [left]
    for part in _PARTS:
        canvas.box(left, top, part.width, 62, part.kind)
        canvas.words(left + part.width / 2, top + 27, part.name[0], "ink bold", "middle")
        canvas.words(left + part.width / 2, top + 46, part.name[1], "ink", "middle")
        for at, text in enumerate(part.said):
            canvas.words(left + 6, 222 + 16 * at, text, "quiet small")
        left += part.width
        edges.append(left)
    canvas.words(edges[0], 36, "RSS: what is in RAM, as top and ps show it", "blue")
    canvas.bracket(edges[0] + 1, edges[5] - 2, 50, 1, "blue")
    canvas.words(edges[1] + 2, 70, "what only the allocator tells apart", "quiet small")
    canvas.bracket(edges[1] + 2, edges[3] - 2, 79, 1, "quiet")
    canvas.bracket(edges[1] + 2, edges[6] - 1, 178, -1, "orange")
    canvas.words(edges[6], 198, "the leak series: anonymous + shared + swap", "orange", "end")
    canvas.box(24, 284, 14, 12, "orange-tint")
    canvas.words(44, 295, "can be a leak", "quiet small")
    canvas.box(140, 284, 14, 12, "blue-tint")
    canvas.words(160, 295, "the allocator's spare room", "quiet small")
    canvas.box(332, 284, 14, 12, "grey-tint")
    canvas.words(352, 295, "no leak. Widths are drawn, not measured.", "quiet small")
    return canvas.svg()

"""The shapes that tell series apart, as paths. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_CORNERS: Mapping[str, Sequence[tuple[float, float]]] = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "triangle-up": ((0, -1.2), (1.2, 1), (-1.2, 1)),
    "triangle-down": ((0, 1.2), (1.2, -1), (-1.2, -1)),
    "triangle-right": ((1.2, 0), (-1, 1.2), (-1, -1.2)),
    "triangle-left": ((-1.2, 0), (1, 1.2), (1, -1.2)),
    "cross": (
        *((-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4)),
        *((0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4)),
    ),
}
"""Corners about the middle, in radii."""


def symbol(shape: str, x: float, y: float, radius: float) -> str:
    """Return a closed path about (x, y); a circle for a shape that is none of ours."""
    if shape not in _CORNERS:
        r, d = f"{radius:.1f}", f"{2 * radius:.1f}"
        return f"M{x - radius:.1f},{y:.1f}a{r},{r} 0 1 0 {d},0a{r},{r} 0 1 0 -{d},0z"
    return f"M{'L'.join(f'{x + radius * dx:.1f},{y + radius * dy:.1f}' for dx, dy in _CORNERS[shape])}z"

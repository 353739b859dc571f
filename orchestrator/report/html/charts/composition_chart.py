"""What the memory is made of over iterations: a stacked chart for one method, with one legend for all. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.report.html.charts.palette import PARTS, css
from orchestrator.report.html.charts.spec import Spec, chart, quantitative, rows, tooltip
from orchestrator.report.html.content import Point, SeriesContent

HEIGHT = 150
_MOST_POINTS = 500
"""More than a chart is wide in pixels."""


def parts_of(points: Sequence[Point]) -> dict[str, list[float]]:
    """Return the parts in MB by name, one value a point; they add up to RSS plus swap.

    Heap and memory outside malloc are only told apart where all three are known and none is negative; what of them
    is swapped is in them. Else anonymous memory is one part, swap another. Parts that are 0 throughout are left out.
    """
    told = bool(points) and all(point.outside_mb is not None and point.outside_mb >= 0 for point in points)
    parts: dict[str, list[float]] = {}
    if told:
        parts["live heap"] = [point.live_mb or 0.0 for point in points]
        parts["held but free"] = [point.held_mb or 0.0 for point in points]
        parts["outside malloc"] = [point.outside_mb or 0.0 for point in points]
    else:
        apart = [(point.swap_mb or 0.0) + (point.shared_mb or 0.0) for point in points]
        parts["anonymous"] = [
            max(0.0, point.leak_series_mb - size) for point, size in zip(points, apart, strict=True)
        ]
        parts["swap"] = [point.swap_mb or 0.0 for point in points]
    parts["shared memory"] = [point.shared_mb or 0.0 for point in points]
    parts["file pages"] = [point.file_mb or 0.0 for point in points]
    return {name: values for name, values in parts.items() if any(value > 0 for value in values)}


def thinned(points: Sequence[Point], most: int = _MOST_POINTS) -> list[Point]:
    """Return both ends and at most ``most`` points: of neighbours the one with most memory, so no peak is lost."""
    every = -(-len(points) // most)
    if every < 2:
        return list(points)
    chosen = [
        max(points[at : at + every], key=lambda point: point.rss_mb) for at in range(0, len(points), every)
    ]
    return sorted(
        {each.iteration: each for each in (points[0], *chosen, points[-1])}.values(),
        key=lambda each: each.iteration,
    )


def highest(series: Sequence[SeriesContent]) -> float:
    """Return the top of the axis that all these charts of an experiment share, MB."""
    tops = [
        sum(values)
        for each in series
        for values in zip(*parts_of(each.points).values(), strict=True)
        if each.points
    ]
    return max(tops, default=1.0) * 1.03


def composition_chart(series: SeriesContent, highest_mb: float) -> Spec | None:
    """Return the chart of one series on the common axis; None below two iterations: a stack needs a width."""
    points = thinned(series.points)
    parts = parts_of(points)
    if len(points) < 2 or not parts:
        return None
    names = list(parts)
    order: Mapping[str, int] = {name: index for index, name in enumerate(names)}
    data = [
        {"iteration": point.iteration, "part": name, "order": order[name], "mb": round(values[index], 3)}
        for name, values in parts.items()
        for index, point in enumerate(points)
    ]
    first, last = points[0].iteration, points[-1].iteration
    return chart(
        HEIGHT,
        data=rows(data),
        mark={"type": "area", "opacity": 0.85, "line": False},
        encoding={
            "x": quantitative(
                "iteration",
                "Iteration",
                axis={"tickMinStep": 1, "format": "d"},
                scale={"domain": [first, last], "nice": False},
            ),
            "y": quantitative(
                "mb", "Memory (MB)", stack="zero", scale={"domain": [0, highest_mb], "nice": True}
            ),
            "color": {
                "field": "part",
                "type": "nominal",
                "title": None,
                "scale": {"domain": names, "range": [css(PARTS[name]) for name in names]},
                "legend": None,
            },
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": tooltip(("part", "Part", None), ("iteration", "Iteration", "d"), ("mb", "MB", ".2f")),
        },
    )

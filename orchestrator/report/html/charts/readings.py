"""What a chart of memory over iterations shows, whoever draws it: readings, fits, warm-ups, the axis. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from orchestrator.report.html.charts.fit import FitPoint, fit_points
from orchestrator.report.html.charts.spec import padded
from orchestrator.report.html.content import Point, SeriesContent

Values = list[tuple[int, float]]
"""Iteration and MB of each reading."""
MOST_READINGS = 2_000
"""Of one series in a chart: two for each pixel that it is wide. A browser, and the engine that draws the picture, take
some 10 KB for each."""


class Channel(NamedTuple):
    """What is drawn: from each point, or as growth since the first one, where levels differ more than they grow."""

    title: str
    judged: str
    pick: Callable[[Point], float | None]
    since_first: bool


class WarmUp(NamedTuple):
    """The stretch of iterations that a judgement left out at the start of a series."""

    series: str
    begin: float
    end: float


def _rss(point: Point) -> float | None:
    return point.rss_mb


def _live(point: Point) -> float | None:
    return point.live_mb


CHANNELS: Mapping[str, Channel] = {
    "rss": Channel("Memory (RSS, MB)", "rss", _rss, since_first=False),
    "live": Channel("Growth of the live heap (MB)", "live", _live, since_first=True),
}


def values_of(series: SeriesContent, drawn: Channel) -> Values:
    """Return iteration and MB of every point that has the channel."""
    found = [(point.iteration, mb) for point in series.points if (mb := drawn.pick(point)) is not None]
    origin = found[0][1] if found and drawn.since_first else 0.0
    return [(at, mb - origin) for at, mb in found]


def thinned(values: Values, most: int = MOST_READINGS) -> Values:
    """Return both ends and at most ``most`` readings: of neighbours the lowest and the highest, so no peak is lost."""
    if len(values) <= most:
        return values
    every = -(-len(values) // (most // 2 - 1))
    chosen = {0, len(values) - 1}
    for begin in range(0, len(values), every):
        near = range(begin, min(begin + every, len(values)))
        chosen |= {min(near, key=lambda at: values[at][1]), max(near, key=lambda at: values[at][1])}
    return [values[at] for at in sorted(chosen)]


def fits_of(series: SeriesContent, drawn: Channel, values: Values) -> list[FitPoint]:
    """Return the fitted line of the channel with its fan; empty where nothing was fitted."""
    channel = series.judgement.channels.get(drawn.judged)
    return fit_points([at for at, _ in values], [mb for _, mb in values], channel)


def warm_ups(shown: Iterable[SeriesContent], drawn: Channel) -> list[WarmUp]:
    """Return the warm-up of each series that has one."""
    return [
        WarmUp(each.name, 0.5, each.points[count - 1].iteration + 0.5)
        for each in shown
        if (found := each.judgement.channels.get(drawn.judged))
        and 0 < (count := found.warm_up) <= len(each.points)
    ]


def broke_off(shown: Iterable[SeriesContent]) -> list[SeriesContent]:
    """Return the series that did not come to their end by themselves."""
    return [each for each in shown if each.judgement.verdict == "crashed"]


def domain_of(values: Iterable[Sequence[tuple[int, float]]]) -> list[float]:
    """Return the memory axis: the readings and a margin, MB.

    What is drawn over them is cut at its ends. The interval of a slope that is hardly known is many times as high as
    the readings; an axis that held it would squeeze them into a line.
    """
    every = [mb for found in values for _, mb in found]
    return padded(min(every), max(every))

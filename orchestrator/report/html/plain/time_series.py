"""The time series of one method as sampled, coloured by phase, with a line where a further process begins. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from orchestrator.report.html.charts.palette import PHASES, css
from orchestrator.report.html.charts.still import WIDE
from orchestrator.report.html.content import SeriesContent
from orchestrator.report.html.decimation import Bucket
from orchestrator.report.html.markup import Html
from orchestrator.report.html.plain.frame import TOP, Frame, across, path, upward

HEIGHT = 210
_LEAST = 1.6
"""Pixels that a stretch is wide and high at least, so that it is seen."""


def time_series(series: SeriesContent, domain_mb: Sequence[float], words: str) -> Html:
    """Return the picture on the axis that all methods of the experiment share."""
    buckets = series.timeline
    begin, end = buckets[0].time_s, buckets[-1].time_s
    low, high = domain_mb
    frame = Frame(
        WIDE,
        HEIGHT,
        across(WIDE, 0, max(end - begin, 0.1), "Time since the method began (s)"),
        upward(HEIGHT, low, high, "RSS (MB)"),
    )
    stretches: dict[str, list[str]] = {}
    for bucket, following in zip_longest(buckets, buckets[1:]):
        stretches.setdefault(bucket.phase, []).append(_stretch(frame, begin, bucket, following))
    marks = [_generations(frame, begin, buckets), _thread(frame, begin, buckets)]
    marks += [
        f'<path d="{"".join(parts)}" fill="{css(_color(phase))}"/>' for phase, parts in stretches.items()
    ]
    return frame.drawn(marks, words)


def _color(phase: str) -> str:
    return PHASES.get(phase, "muted")


def _stretch(frame: Frame, begin: float, bucket: Bucket, following: Bucket | None) -> str:
    """Return a box from the lowest to the highest reading, up to where the next begins in the same process."""
    x, y = frame.x.scale, frame.y.scale
    until = following.time_s if following and following.generation == bucket.generation else bucket.time_s
    left, bottom = x.at(bucket.time_s - begin), y.at(bucket.low_mb)
    wide, high = max(_LEAST, x.at(until - begin) - left), max(_LEAST, bottom - y.at(bucket.high_mb))
    return f"M{left:.1f},{bottom:.1f}h{wide:.1f}v-{high:.1f}h-{wide:.1f}z"


def _thread(frame: Frame, begin: float, buckets: Sequence[Bucket]) -> str:
    """Return the thin line that leads the eye from stretch to stretch."""
    line = path((frame.x.scale.at(each.time_s - begin), frame.y.scale.at(each.high_mb)) for each in buckets)
    return f'<path d="{line}" stroke="{css("muted")}" stroke-width=".8" opacity=".7"/>'


def _generations(frame: Frame, begin: float, buckets: Sequence[Bucket]) -> str:
    firsts: dict[int, float] = {}
    for bucket in buckets:
        firsts.setdefault(bucket.generation, bucket.time_s - begin)
    bottom = frame.y.scale.start
    lines = "".join(f"M{frame.x.scale.at(at):.1f},{TOP}V{bottom:g}" for at in firsts.values())
    return f'<path d="{lines}" stroke="{css("muted")}" opacity=".5"/>' if len(firsts) > 1 else ""

"""Judge one channel: is this series a leak, and how fast does it grow?

    readings -> spikes out -> blocks, if long -> warm-up cut -> cycle out -+-> slope and interval
                                                                             +-> shapes weighed -> probability of
                                                              growth ahead -> decision

Combining several channels is left to ``verdict``.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from orchestrator.analysis.fitting.blocks import in_blocks
from orchestrator.analysis.fitting.cycles import find_cycle
from orchestrator.analysis.fitting.returns import start_of
from orchestrator.analysis.fitting.shapes import weigh_shapes
from orchestrator.analysis.fitting.slope import FEWEST_READINGS, SlopeEstimate, fgls_slope
from orchestrator.analysis.fitting.spikes import remove_spikes
from orchestrator.analysis.fitting.tail_slope import tail_slope
from orchestrator.analysis.fitting.warm_up import find_warm_up
from orchestrator.analysis.judging.channel_verdict import ChannelVerdict
from orchestrator.analysis.judging.decision import CLEAN_BELOW, decide
from orchestrator.analysis.judging.evidence import Evidence
from orchestrator.analysis.judging.pace import EACH_ITERATION, Pace
from orchestrator.analysis.judging.reasons import Reason, Settling
from orchestrator.analysis.series import FloatArray, SeriesLike, as_series

FEWEST_ITERATIONS = 10
"""Below this every verdict is inconclusive."""


def judge_channel(
    values: SeriesLike,
    tolerance: float,
    *,
    noise_floor: float,
    unit: str = "MB",
    name: str = "series",
    clean_below: float = CLEAN_BELOW,
    clean_within: float | None = None,
    pace: Pace = EACH_ITERATION,
) -> ChannelVerdict:
    """Judge one series of readings.

    Args:
        values: One reading per iteration.
        tolerance: Growth per iteration, or per hour, that is still accepted, > 0, unit of the readings.
        noise_floor: The smallest difference a reading can show, same unit.
        unit: What the readings count, for the reasons.
        name: What the readings are, for an error.
        clean_below: Probability of growth ahead below which the series is clean.
        clean_within: Growth per iteration within which the whole interval of a clean series must lie; by default
            the tolerance.
        pace: How far apart two readings are; tolerance, rates and words are per iteration, or per hour.

    Raises:
        ValueError: A reading is not finite, the shape is wrong, or the tolerance is not above zero.
    """
    series = as_series(values, name)
    if not tolerance > 0:
        raise ValueError(f"{name}: the tolerance must be above zero, found {tolerance}")
    if series.size < FEWEST_ITERATIONS:
        return _too_short(series, tolerance, noise_floor, unit, pace)
    return decide(
        _weighed(series, tolerance, noise_floor, unit, clean_below, clean_within or tolerance, pace)
    )


def _weighed(
    series: FloatArray,
    tolerance: float,
    noise_floor: float,
    unit: str,
    clean_below: float,
    clean_within: float,
    pace: Pace,
) -> Evidence:
    """Fit everything that the decision looks at."""
    readings, block, skipped = in_blocks(remove_spikes(series, noise_floor))
    noise_floor /= sqrt(block)  # of a mean of so many readings
    warm_up = find_warm_up(readings, noise_floor)
    tail = readings[warm_up.length :]
    cycle = find_cycle(tail)
    rest = cycle.rest if cycle else tail
    slope_error = cycle.slope_error if cycle else 0.0
    # A cycle that fits as well without any slope beside it tilts nothing, so the shapes need not doubt theirs.
    doubt = 0.0 if cycle and cycle.level else slope_error
    shapes = weigh_shapes(rest, warm_up.length, tolerance * block * pace.step, noise_floor, doubt)
    # With a cycle the tail alone is freed of it; the readings before the cut still hold it.
    longer = None if cycle else readings[start_of(readings.size, warm_up.length) :]
    slope = tail_slope(rest, shapes, noise_floor, slope_error, longer)
    return Evidence(
        readings,
        tail,
        warm_up,
        cycle,
        shapes,
        slope,
        tolerance,
        noise_floor,
        unit,
        clean_below,
        clean_within,
        pace,
        block,
        skipped,
    )


def _too_short(
    series: FloatArray, tolerance: float, noise_floor: float, unit: str, pace: Pace
) -> ChannelVerdict:
    if series.size >= FEWEST_READINGS:
        slope = fgls_slope(series, noise_floor=noise_floor)
    else:
        rate = float(series[-1] - series[0]) / max(series.size - 1, 1) if series.size else 0.0
        slope = SlopeEstimate(rate, -np.inf, np.inf, np.inf, 1.0, 0.0, int(series.size))
    slope = slope.scaled(1.0 / pace.step)
    more = FEWEST_ITERATIONS - series.size
    what = "iteration" if pace.per == "iteration" else "reading"
    return ChannelVerdict(
        "inconclusive",
        slope,
        0,
        tolerance,
        0.5,
        "line",
        slope.rate,
        (Reason("too-few", {"count": _counted(series.size, what)}),),
        (Settling("at-least", {"count": _counted(more, f"more {what}")}),),
        unit,
        pace.per,
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

"""Judge one channel: is this series a leak, and how fast does it grow?

    readings -> spikes out -> warm-up cut -> cycle out -+-> slope and interval
                                                        +-> shapes weighed -> probability of
                                                              growth ahead -> decision

Combining several channels is left to ``verdict``.
"""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.fitting.cycles import find_cycle
from orchestrator.analysis.fitting.shapes import weigh_shapes
from orchestrator.analysis.fitting.slope import FEWEST_READINGS, SlopeEstimate, fgls_slope
from orchestrator.analysis.fitting.spikes import remove_spikes
from orchestrator.analysis.fitting.tail_slope import tail_slope
from orchestrator.analysis.fitting.warm_up import find_warm_up
from orchestrator.analysis.judging.decision import CLEAN_BELOW, ChannelVerdict, Evidence, decide
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
) -> ChannelVerdict:
    """Judge one series of readings.

    Args:
        values: One reading per iteration.
        tolerance: Growth per iteration that is still accepted, > 0, unit of the readings.
        noise_floor: The smallest difference a reading can show, same unit.
        unit: What the readings count, for the reasons.
        name: What the readings are, for an error.
        clean_below: Probability of growth ahead below which the series is clean.

    Raises:
        ValueError: A reading is not finite, the shape is wrong, or the tolerance is not above zero.
    """
    series = as_series(values, name)
    if not tolerance > 0:
        raise ValueError(f"{name}: the tolerance must be above zero, found {tolerance}")
    if series.size < FEWEST_ITERATIONS:
        return _too_short(series, tolerance, noise_floor)
    cleaned = remove_spikes(series, noise_floor)
    warm_up = find_warm_up(cleaned, noise_floor)
    tail = cleaned[warm_up.length :]
    cycle = find_cycle(tail)
    rest = cycle.rest if cycle else tail
    slope_error = cycle.slope_error if cycle else 0.0
    doubt = 0.0 if cycle and cycle.level else slope_error
    shapes = weigh_shapes(rest, warm_up.length, tolerance, noise_floor, doubt)
    slope = tail_slope(rest, shapes, noise_floor, slope_error)
    return decide(Evidence(cleaned, tail, warm_up, cycle, shapes, slope, tolerance, unit, clean_below))


def _too_short(series: FloatArray, tolerance: float, noise_floor: float) -> ChannelVerdict:
    if series.size >= FEWEST_READINGS:
        slope = fgls_slope(series, noise_floor=noise_floor)
    else:
        rate = float(series[-1] - series[0]) / max(series.size - 1, 1) if series.size else 0.0
        slope = SlopeEstimate(rate, -np.inf, np.inf, np.inf, 1.0, 0.0, int(series.size))
    more = FEWEST_ITERATIONS - series.size
    return ChannelVerdict(
        "inconclusive",
        slope,
        0,
        tolerance,
        0.5,
        "line",
        slope.rate,
        (f"only {_iterations(series.size)}: too few to tell a leak from a warm-up",),
        (f"at least {_iterations(more, ' more')}",),
    )


def _iterations(count: int, more: str = "") -> str:
    return f"{count}{more} iteration{'' if count == 1 else 's'}"

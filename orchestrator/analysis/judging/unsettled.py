"""Say of a series that is neither a leak nor at rest why it is open, and what would settle it."""

from __future__ import annotations

from math import ceil

import numpy as np

from orchestrator.analysis.fitting.distributions import gamma_quantile
from orchestrator.analysis.fitting.jumps import find_jumps
from orchestrator.analysis.judging.at_rest import within
from orchestrator.analysis.judging.channel_verdict import ChannelVerdict
from orchestrator.analysis.judging.evidence import CLEARLY, SLOWING, STEPS, Evidence, as_many, verdict_of
from orchestrator.analysis.judging.reasons import Reason, Settling

MOST_TIMES_LONGER = 20
"""A forecast beyond this says nothing any more."""


def unsettled(found: Evidence) -> ChannelVerdict:
    """Return the verdict on what is open."""
    shapes, rate = found.shapes, found.rate
    between = {"low": rate.low, "high": rate.high}
    if shapes.best in STEPS:
        why, settling = Reason("few-steps", {"bound": _steps_bound(found)}), as_many("as-many-steps", found)
    elif shapes.best in SLOWING and shapes.shapes["flat"].deficit > CLEARLY:
        why, settling = Reason("slows-down"), as_many("as-many", found)
    elif found.warm_up.at_limit:
        why, settling = Reason("warm-up-not-over"), as_many("as-many", found)
    elif rate.low > 0 and rate.high < found.tolerance:
        return within(found, rate)
    elif rate.low > 0:
        why, settling = Reason("may-be-coming-to-rest", {"rate": rate.rate}), more_iterations(found)
    elif rate.high < found.tolerance:
        why, settling = Reason("growth-cannot-be-excluded", between), more_iterations(found)
    else:
        why, settling = Reason("noise-hides", between), more_iterations(found)
    return verdict_of(found, "inconclusive", [why], settling)


def _steps_bound(found: Evidence) -> float:
    """Return the 95 % upper bound of the rate if the steps of the tail came at random (Poisson), per iteration."""
    jumps = find_jumps(found.rest, found.noise_floor, found.noise_floor)
    number = max(len(jumps.sizes), 1)
    size = float(np.mean(jumps.sizes)) if jumps.sizes else float(np.ptp(found.rest))
    return gamma_quantile(number + 1, 0.95) * size / (found.rest.size * found.units)


def more_iterations(found: Evidence) -> Settling:
    """Return about how many more iterations would resolve the slope.

    The error of a slope falls with the number of readings to the power 1.5, under random-walk noise to
    the power 0.5. It has to become half of what lies between slope and tolerance.
    """
    slope, tolerance = found.rate, found.tolerance
    gap = tolerance - min(abs(slope.rate), tolerance / 2)
    ratio = max(2.0 * slope.standard_error / gap, 1.0)
    power = 2.0 if slope.autocorrelation >= 1 else 2.0 / 3.0
    if ratio**power > MOST_TIMES_LONGER:
        return Settling("too-many", {"times": MOST_TIMES_LONGER})
    needed = ceil(slope.count * ratio**power) - slope.count
    return Settling("about", {"more": max(needed, slope.count // 4) * found.pace.step})

r"""Judge one channel: is this series a leak, and how fast does it grow?

    readings -> spikes out -> warm-up cut -> cycle out -> slope + interval
                                                      \-> shapes weighed -> probability of growth
                                                                            ahead -> verdict

The decision rests on one number, the probability that the mean growth ahead exceeds the tolerance, weighed
over all shapes that explain the record. Combining several channels is left to ``verdict``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, exp, sqrt
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from orchestrator.analysis.cycles import Cycle, find_cycle
from orchestrator.analysis.jumps import find_jumps
from orchestrator.analysis.series import FloatArray, SeriesLike, as_series
from orchestrator.analysis.shapes import ShapeWeights, weigh_shapes
from orchestrator.analysis.slope import SlopeEstimate, fgls_slope
from orchestrator.analysis.spikes import remove_spikes
from orchestrator.analysis.warm_up import WarmUp, find_warm_up

VerdictName = Literal["leak", "plateau", "flat", "bounded", "slow-growth", "inconclusive"]

CLEAN: frozenset[str] = frozenset({"flat", "plateau", "bounded"})
"""The verdicts that say there is no leak."""

FEWEST_ITERATIONS = 10
"""Below this every verdict is inconclusive."""

LEAK_ABOVE = 0.8
CLEAN_BELOW = 0.025
"""Probability of growth ahead above which a series is a leak, and below which it is clean."""

_CLEARLY = 6.0
_MOSTLY_JUMPS = 0.5
_STEPS = ("step", "steps")
_SLOWING = ("log", "power", "saturating")
_ENDS_IN_A_LINE = ("line", "late", "two lines", "line and step", "line after decay")
_MOST_ITERATIONS = 9999


@dataclass(frozen=True, slots=True)
class ChannelVerdict:
    """What one series says.

    Attributes:
        verdict: ``leak``, ``plateau``, ``flat``, ``bounded``, ``slow-growth`` or ``inconclusive``.
        slope: Growth per iteration after the warm-up, with its interval, unit of the series.
        warm_up: Iterations at the start that were left out.
        tolerance: Growth per iteration above which it counts as a leak.
        growing: Probability (0 to 1) that growth goes on beyond the tolerance.
        shape: Kind of the shape that fits best, as named in ``shapes``.
        future: Growth per iteration expected ahead, by that shape.
        reasons: Why, in plain words.
        settle: What would settle an inconclusive verdict; empty otherwise.
    """

    verdict: VerdictName
    slope: SlopeEstimate
    warm_up: int
    tolerance: float
    growing: float
    shape: str
    future: float
    reasons: tuple[str, ...]
    settle: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the verdict says that there is no leak."""
        return self.verdict in CLEAN


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Everything that was found out about a series before deciding."""

    values: FloatArray
    tail: FloatArray
    warm_up: WarmUp
    cycle: Cycle | None
    shapes: ShapeWeights
    slope: SlopeEstimate
    tolerance: float
    noise_floor: float
    unit: str


def judge_channel(
    values: SeriesLike, tolerance: float, *, noise_floor: float, unit: str = "MB", name: str = "series"
) -> ChannelVerdict:
    """Judge one series of readings.

    Args:
        values: One reading per iteration.
        tolerance: Growth per iteration that is still accepted, > 0, unit of the readings.
        noise_floor: The smallest difference a reading can show, same unit.
        unit: What the readings count, for the reasons.
        name: What the readings are, for an error.

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
    slope = _slope(rest, shapes, noise_floor, slope_error)
    return _decide(_Evidence(cleaned, tail, warm_up, cycle, shapes, slope, tolerance, noise_floor, unit))


def _too_short(series: FloatArray, tolerance: float, noise_floor: float) -> ChannelVerdict:
    if series.size >= 4:  # noqa: PLR2004
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
        (f"only {series.size} iterations: too few to tell a leak from a warm-up",),
        (f"at least {more} more iterations",),
    )


def _slope(rest: FloatArray, shapes: ShapeWeights, noise_floor: float, slope_error: float) -> SlopeEstimate:
    """Return the slope at the end, averaged over the shapes that end in a line.

    What is left of a warm-up, or a late beginning, tilts a line through all readings; averaging by weight keeps
    that doubt in the interval. Growth by steps gets at least the interval of random steps.
    """
    line = fgls_slope(rest, noise_floor=noise_floor)
    weights, rates, squares, degrees = [], [], [], []
    for kind in _ENDS_IN_A_LINE:
        shape = shapes.shapes[kind]
        weights.append(exp(-0.5 * shape.deficit))
        rates.append(line.rate if kind == "line" else shape.future)
        squares.append((line.standard_error if kind == "line" else shape.error) ** 2)
        degrees.append(line.degrees_of_freedom if kind == "line" else shape.degrees_of_freedom)
    share = np.array(weights) / max(sum(weights), 1e-300)
    rate = float(share @ rates) if sum(weights) > 0 else line.rate
    spread = float(share @ (np.array(squares) + (np.array(rates) - rate) ** 2))
    error = sqrt((spread if sum(weights) > 0 else line.standard_error**2) + slope_error**2)
    estimate = _with_error(replace(line, rate=rate), error, float(share @ degrees))
    jumps = find_jumps(rest, noise_floor, 3 * noise_floor)
    if rate > 0 and jumps.share > _MOSTLY_JUMPS and 1 < len(jumps.at) < rest.size / 2:
        least, most = jumps.factors(estimate.confidence)
        if shapes.best in _STEPS:
            return replace(estimate, low=rate * least, high=rate * most)
        estimate = replace(estimate, low=min(estimate.low, rate * least), high=max(estimate.high, rate * most))
    return estimate


def _with_error(estimate: SlopeEstimate, error: float, degrees: float) -> SlopeEstimate:
    degrees = max(degrees, 3.0)
    half = float(stdtrit(degrees, 0.5 + estimate.confidence / 2)) * error
    return replace(
        estimate,
        low=estimate.rate - half,
        high=estimate.rate + half,
        standard_error=error,
        degrees_of_freedom=degrees,
    )


def _decide(found: _Evidence) -> ChannelVerdict:
    growing = found.shapes.growing
    if growing > LEAK_ABOVE:
        return _growth(found)
    if growing < CLEAN_BELOW:
        return _clean(found)
    return _unsettled(found)


def _result(
    found: _Evidence, verdict: VerdictName, reasons: tuple[str, ...], settle: tuple[str, ...] = ()
) -> ChannelVerdict:
    return ChannelVerdict(
        verdict,
        found.slope,
        found.warm_up.length,
        found.tolerance,
        found.shapes.growing,
        found.shapes.best,
        found.shapes.shapes[found.shapes.best].future,
        reasons,
        settle,
    )


def _growth(found: _Evidence) -> ChannelVerdict:
    shapes, slope = found.shapes, found.slope
    rate = f"{slope.rate:.3g} {found.unit} per iteration"
    if shapes.best in _SLOWING and shapes.shapes["line"].deficit > _CLEARLY:
        ahead = shapes.shapes[shapes.best].future
        return _result(
            found,
            "slow-growth",
            (f"grows by {rate} and slows down, but {ahead:.3g} per iteration are still to be expected ahead",),
            (f"{found.values.size} more iterations, to see whether it comes to rest",),
        )
    if slope.low <= 0:
        return _result(
            found,
            "inconclusive",
            (f"seems to grow by {rate}, but the interval of the rate includes 0",),
            _more_iterations(found),
        )
    reasons = [f"grows by {rate} after {found.warm_up.length} iterations of warm-up and does not slow down"]
    if shapes.best == "late":
        reasons.append("the growth sets in late in the record")
    if shapes.best in _STEPS:
        reasons.append("the growth comes in steps that keep coming")
    if found.cycle:
        reasons.append(_cycle_words(found))
    return _result(found, "leak", tuple(reasons))


def _clean(found: _Evidence) -> ChannelVerdict:
    name, why = _clean_kind(found)
    return _result(
        found, name, (why, f"growth ahead beyond {found.tolerance:.3g} {found.unit} per iteration is improbable")
    )


def _clean_kind(found: _Evidence) -> tuple[VerdictName, str]:
    """Tell flat, plateau and bounded apart."""
    tail = found.cycle.rest if found.cycle else found.tail
    level = float(np.median(tail[tail.size // 2 :]))
    noise = float(np.std(np.diff(tail))) / np.sqrt(2.0)
    rise = level - float(found.values[0])
    if found.cycle and found.cycle.size > max(4 * noise, 0.002 * abs(level)):
        return "bounded", _cycle_words(found)
    if rise > max(3.0 * noise, 10.0 * found.tolerance, 0.01 * abs(level)):
        return "plateau", f"rose by {rise:.3g} {found.unit} and then came to rest"
    if shapes_moved(found.tail, noise, found.tolerance, level):
        return "bounded", "moves up and down within bounds that do not rise"
    return "flat", "stays where it began"


def shapes_moved(tail: FloatArray, noise: float, tolerance: float, level: float) -> bool:
    """Tell whether a tail that does not grow moves by more than a flat one would."""
    spread = float(np.std(tail))
    return spread > max(5.0 * tolerance, 0.002 * abs(level)) or spread > 3.0 * max(noise, tolerance)


def _cycle_words(found: _Evidence) -> str:
    cycle = found.cycle
    assert cycle is not None
    return f"a {cycle.form} of {cycle.size:.3g} {found.unit}, {cycle.turns:.0f} times, was taken out of the trend"


def _unsettled(found: _Evidence) -> ChannelVerdict:
    shapes, slope = found.shapes, found.slope
    best = shapes.best
    size = found.values.size
    if best in _STEPS:
        return _result(
            found,
            "inconclusive",
            ("growth comes in a few steps: a pool that fills and a leak of large blocks look the same so far",),
            (f"{size} more iterations: no further step would mean a pool, three more a leak",),
        )
    if best in _SLOWING and shapes.shapes["flat"].deficit > _CLEARLY:
        return _result(
            found,
            "inconclusive",
            ("the growth slows down, but is not seen to have come to rest",),
            (f"{size} more iterations",),
        )
    if found.warm_up.at_limit:
        return _result(
            found,
            "inconclusive",
            ("the warm-up may not be over",),
            (f"{size} more iterations",),
        )
    if slope.low > 0:
        return _result(
            found,
            "inconclusive",
            (f"grows by {slope.rate:.3g} {found.unit} per iteration so far, but may be coming to rest",),
            _more_iterations(found),
        )
    low, high = slope.low, slope.high
    return _result(
        found,
        "inconclusive",
        (f"the noise hides the slope: between {low:.3g} and {high:.3g} {found.unit} per iteration",),
        _more_iterations(found),
    )


def _more_iterations(found: _Evidence) -> tuple[str, ...]:
    """Say how many more iterations would resolve the slope; its error falls with n^1.5, a walk's with n^0.5."""
    slope, tolerance = found.slope, found.tolerance
    count = slope.count
    gap = tolerance - min(abs(slope.rate), tolerance / 2)
    ratio = 2.0 * slope.standard_error / gap
    power = 2.0 if slope.autocorrelation >= 1 else 2.0 / 3.0
    needed = ceil(count * max(ratio, 1.0) ** power) - count
    more = min(max(needed, count // 4), _MOST_ITERATIONS)
    return (f"about {more} more iterations",)

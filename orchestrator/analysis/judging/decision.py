"""Turn the evidence about one series into a verdict with reasons.

One number decides: the probability that the mean growth ahead exceeds the tolerance. Above one bound it
is a leak, below another the series is clean, between them it is inconclusive and the verdict says what
would settle it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np

from orchestrator.analysis.fitting.cycles import Cycle
from orchestrator.analysis.fitting.shapes import ShapeWeights
from orchestrator.analysis.fitting.slope import SlopeEstimate
from orchestrator.analysis.fitting.warm_up import WarmUp
from orchestrator.analysis.series import FloatArray

VerdictName = Literal["leak", "plateau", "flat", "bounded", "slow-growth", "inconclusive"]

CLEAN: frozenset[str] = frozenset({"flat", "plateau", "bounded"})
"""The verdicts that say there is no leak."""

LEAK_ABOVE = 0.76
STEPS_LEAK_ABOVE = 0.65
CLEAN_BELOW = 0.013
CHECKED_CLEAN_BELOW = 0.1
"""Probability of growth ahead above which a series is a leak, and below which it is clean.

A staircase needs a little less: what speaks against it, that a pool fills by a few blocks, is in its probability
already. A channel whose parts and whole are judged as well (live heap, memory outside malloc) is clean a
little sooner.
"""

_CLEARLY = 6.0  # difference in BIC that leaves no doubt
_STEPS = ("step", "steps")
_BENDING = ("late", "two lines")
_SLOWING = ("log", "power", "saturating")
MOST_TIMES_LONGER = 20
"""A forecast beyond this says nothing any more."""


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
class Evidence:
    """What was found out about a series.

    Attributes:
        values: All readings, spikes taken out.
        tail: Those after the warm-up.
        warm_up: The warm-up.
        cycle: The movement that repeats, if there is one.
        shapes: The shapes weighed on the tail without the cycle.
        slope: Slope at the end of the record.
        tolerance: Accepted growth per iteration.
        unit: What the readings count.
        clean_below: Probability of growth ahead below which the series is clean.
    """

    values: FloatArray
    tail: FloatArray
    warm_up: WarmUp
    cycle: Cycle | None
    shapes: ShapeWeights
    slope: SlopeEstimate
    tolerance: float
    unit: str
    clean_below: float = CLEAN_BELOW


def decide(found: Evidence) -> ChannelVerdict:
    """Return the verdict that the evidence carries."""
    growing = found.shapes.growing
    if growing > (STEPS_LEAK_ABOVE if found.shapes.best in _STEPS else LEAK_ABOVE):
        return _growth(found)
    if growing < found.clean_below:
        return _clean(found)
    return _unsettled(found)


def _result(found: Evidence, verdict: VerdictName, reasons: list[str], settle: str = "") -> ChannelVerdict:
    shapes = found.shapes
    return ChannelVerdict(
        verdict,
        found.slope,
        found.warm_up.length,
        found.tolerance,
        shapes.growing,
        shapes.best,
        shapes.shapes[shapes.best].future,
        tuple(reasons),
        (settle,) if settle else (),
    )


def _growth(found: Evidence) -> ChannelVerdict:
    shapes, slope = found.shapes, found.slope
    rate = f"{slope.rate:.3g} {found.unit} per iteration"
    if shapes.best in _SLOWING and shapes.shapes["line"].deficit > _CLEARLY:
        ahead = shapes.shapes[shapes.best].future
        why = f"grows by {rate} and slows down, with {ahead:.3g} per iteration still to be expected ahead"
        settle = f"{found.values.size} more iterations, to see whether it comes to rest"
        return _result(found, "slow-growth", [why], settle)
    if slope.low <= 0:
        why = f"seems to grow by {rate}, but the interval of the rate includes 0"
        return _result(found, "inconclusive", [why], more_iterations(found))
    reasons = [f"grows by {rate} {_since(found.warm_up.length)} and does not slow down"]
    best, line = shapes.shapes[shapes.best], shapes.shapes["line"]
    if shapes.best in _BENDING and best.future > line.future and line.deficit > _CLEARLY:
        reasons.append("the growth sets in, or quickens, late in the record")
    if shapes.best in _STEPS:
        reasons.append("the growth comes in steps that keep coming")
    if found.cycle:
        reasons.append(_cycle_words(found.cycle, found.unit))
    return _result(found, "leak", reasons)


def _since(warm_up: int) -> str:
    if not warm_up:
        return "from the first iteration on"
    return f"after {warm_up} iteration{'s' if warm_up > 1 else ''} of warm-up"


def _clean(found: Evidence) -> ChannelVerdict:
    name, why = _clean_kind(found)
    limit = f"growth ahead beyond {found.tolerance:.3g} {found.unit} per iteration is improbable"
    return _result(found, name, [why, limit])


def _clean_kind(found: Evidence) -> tuple[VerdictName, str]:
    """Tell flat, plateau and bounded apart, and say why."""
    tail = found.cycle.rest if found.cycle else found.tail
    level = abs(float(np.median(tail[tail.size // 2 :])))
    noise = float(np.std(np.diff(tail))) / np.sqrt(2.0)
    rise = float(np.median(tail[tail.size // 2 :])) - float(found.values[0])
    if found.cycle and found.cycle.size > max(4.0 * noise, 0.002 * level):
        return "bounded", _cycle_words(found.cycle, found.unit)
    if rise > max(3.0 * noise, 10.0 * found.tolerance, 0.01 * level):
        return "plateau", f"rose by {rise:.3g} {found.unit} and then came to rest"
    spread = float(np.std(found.tail))
    if spread > min(max(5.0 * found.tolerance, 0.002 * level), 3.0 * max(noise, found.tolerance)):
        return "bounded", "moves up and down within bounds that do not rise"
    return "flat", "stays where it began"


def _cycle_words(cycle: Cycle, unit: str) -> str:
    return f"a movement that repeats ({cycle.form}, {cycle.size:.3g} {unit}) was taken out of the trend"


def _unsettled(found: Evidence) -> ChannelVerdict:
    shapes, slope, size = found.shapes, found.slope, found.values.size
    if shapes.best in _STEPS:
        why = "growth comes in a few steps: a filling pool and a leak of large blocks look the same so far"
        settle = f"{size} more iterations: no further step would mean a pool, three more a leak"
    elif shapes.best in _SLOWING and shapes.shapes["flat"].deficit > _CLEARLY:
        why = "the growth slows down, but is not seen to have come to rest"
        settle = f"{size} more iterations"
    elif found.warm_up.at_limit:
        why = "the warm-up may not be over"
        settle = f"{size} more iterations"
    elif slope.low > 0:
        why = f"grows by {slope.rate:.3g} {found.unit} per iteration so far, but may be coming to rest"
        settle = more_iterations(found)
    else:
        between = f"between {slope.low:.3g} and {slope.high:.3g} {found.unit} per iteration"
        why = f"the noise hides the slope: {between}"
        settle = more_iterations(found)
    return _result(found, "inconclusive", [why], settle)


def more_iterations(found: Evidence) -> str:
    """Say about how many more iterations would resolve the slope.

    The error of a slope falls with the number of readings to the power 1.5, under random-walk noise to
    the power 0.5. It has to become half of what lies between slope and tolerance.
    """
    slope, tolerance = found.slope, found.tolerance
    gap = tolerance - min(abs(slope.rate), tolerance / 2)
    ratio = max(2.0 * slope.standard_error / gap, 1.0)
    power = 2.0 if slope.autocorrelation >= 1 else 2.0 / 3.0
    if ratio**power > MOST_TIMES_LONGER:
        return f"over {MOST_TIMES_LONGER} times as many iterations: in noise of this size another lever tells sooner"
    needed = ceil(slope.count * ratio**power) - slope.count
    return f"about {max(needed, slope.count // 4)} more iterations"

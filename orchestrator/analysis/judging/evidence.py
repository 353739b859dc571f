"""What was found out about one series, before anything is decided, and what every decision makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.analysis.fitting.cycles import Cycle
from orchestrator.analysis.fitting.shapes import ShapeWeights
from orchestrator.analysis.fitting.slope import SlopeEstimate
from orchestrator.analysis.fitting.warm_up import WarmUp
from orchestrator.analysis.judging.channel_verdict import ChannelVerdict, VerdictName
from orchestrator.analysis.judging.pace import EACH_ITERATION, Pace
from orchestrator.analysis.judging.reasons import Reason, Settling
from orchestrator.analysis.series import FloatArray

CLEARLY = 6.0
"""Difference in BIC that leaves no doubt."""

STEPS = ("step", "steps")
BENDING = ("late", "two lines")
SLOWING = ("log", "power", "saturating")
"""Kinds of shapes: by steps, setting in late, ever more slowly."""

SHORT_RECORD = 200
"""Up to so many iterations a verdict says what a record of its length cannot show."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about a series. Readings may be means of blocks.

    Attributes:
        values: All readings, spikes taken out.
        tail: Those after the warm-up.
        warm_up: The warm-up.
        cycle: The movement that repeats, if there is one.
        shapes: The shapes weighed on the tail without the cycle.
        slope: Slope at the end of the record, per reading.
        tolerance: Accepted growth per iteration, or per hour.
        noise_floor: The smallest difference a reading can show.
        unit: What the readings count.
        clean_below: Probability of growth ahead below which the series is clean.
        clean_within: Growth per iteration within which the whole interval of a clean series must lie.
        pace: How far apart two original readings are; rates and tolerances are per unit of it.
        block: Original readings in one of ``values``.
        skipped: Original readings left out before the first.
    """

    values: FloatArray
    tail: FloatArray
    warm_up: WarmUp
    cycle: Cycle | None
    shapes: ShapeWeights
    slope: SlopeEstimate
    tolerance: float
    noise_floor: float
    unit: str
    clean_below: float
    clean_within: float
    pace: Pace = EACH_ITERATION
    block: int = 1
    skipped: int = 0

    @property
    def rest(self) -> FloatArray:
        """The tail without the cycle."""
        return self.cycle.rest if self.cycle else self.tail

    @property
    def units(self) -> float:
        """Iterations, or hours, from one of ``values`` to the next."""
        return self.block * self.pace.step

    @property
    def readings(self) -> int:
        """Original readings in the whole record."""
        return self.values.size * self.block + self.skipped

    @property
    def length(self) -> float:
        """Iterations, or hours, in the whole record."""
        return self.readings * self.pace.step

    @property
    def left_out(self) -> int:
        """Original readings of warm-up."""
        return self.warm_up.length * self.block + (self.skipped if self.warm_up.length else 0)

    @property
    def rate(self) -> SlopeEstimate:
        """The slope per iteration, or per hour."""
        return self.per_unit(self.slope)

    def place(self, index: int) -> float:
        """Return after how many iterations, or hours, one of ``values`` was read."""
        return ((index + 1) * self.block + self.skipped) * self.pace.step

    def per_unit(self, slope: SlopeEstimate) -> SlopeEstimate:
        """Return a slope from one of ``values`` to the next as one per iteration, or per hour."""
        if self.units == 1:
            return slope
        return replace(slope.scaled(1.0 / self.units), count=slope.count * self.block)

    @property
    def slows_down(self) -> bool:
        """Whether a shape that grows ever more slowly fits best, and a line clearly worse."""
        return self.shapes.best in SLOWING and self.shapes.shapes["line"].deficit > CLEARLY


def verdict_of(
    found: Evidence,
    verdict: VerdictName,
    facts: list[Reason],
    settling: Settling | None = None,
    rate: SlopeEstimate | None = None,
) -> ChannelVerdict:
    """Return a verdict on what was found; ``rate`` is that of the evidence unless another is given."""
    shapes = found.shapes
    return ChannelVerdict(
        verdict,
        rate or found.rate,
        found.left_out,
        found.tolerance,
        shapes.growing,
        shapes.best,
        shapes.shapes[shapes.best].future / found.units,
        tuple(facts),
        (settling,) if settling else (),
        found.unit,
        found.pace.per,
    )


def cycle_fact(cycle: Cycle) -> Reason:
    """Return that a cycle was taken out."""
    return Reason("has-a-cycle", {"form": cycle.form, "size": cycle.size})


def as_many(kind: Literal["as-many", "as-many-rest", "as-many-steps"], found: Evidence) -> Settling:
    """Return that a record of twice the length would settle it."""
    return Settling(kind, {"more": found.length})

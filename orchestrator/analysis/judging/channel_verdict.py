"""What one channel's series says: verdict, rate with interval, and the facts behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.analysis.fitting.slope import SlopeEstimate
from orchestrator.analysis.judging.pace import Per
from orchestrator.analysis.judging.reasons import Reason, Settling

VerdictName = Literal["leak", "plateau", "flat", "bounded", "slow-growth", "inconclusive"]

CLEAN: frozenset[str] = frozenset({"flat", "plateau", "bounded"})
"""The verdicts that say there is no leak."""


@dataclass(frozen=True, slots=True)
class ChannelVerdict:
    """What one series says.

    Attributes:
        verdict: ``leak``, ``plateau``, ``flat``, ``bounded``, ``slow-growth`` or ``inconclusive``.
        slope: Growth per iteration with its interval, unit of the series: after the warm-up; of a clean series the
            growth ahead, averaged over all shapes.
        warm_up: Iterations at the start that were left out.
        tolerance: Growth per iteration above which it counts as a leak.
        growing: Probability (0 to 1) that growth goes on beyond the tolerance.
        shape: Kind of the shape that fits best, as named in ``shapes``.
        future: Growth per iteration expected ahead, by that shape.
        facts: Why, the weightiest first.
        settling: What would settle an open verdict; empty otherwise.
        unit: What the readings count.
        per: What the rates of ``facts`` count by; the other rates here are per reading where that is an hour.
    """

    verdict: VerdictName
    slope: SlopeEstimate
    warm_up: int
    tolerance: float
    growing: float
    shape: str
    future: float
    facts: tuple[Reason, ...]
    settling: tuple[Settling, ...] = ()
    unit: str = "MB"
    per: Per = "iteration"

    @property
    def clean(self) -> bool:
        """Whether the verdict says that there is no leak."""
        return self.verdict in CLEAN

    def rescaled(self, factor: float) -> ChannelVerdict:
        """Return the same with rates and tolerance in another unit; the facts keep theirs."""
        slope, future = self.slope.scaled(factor), self.future * factor
        return replace(self, slope=slope, tolerance=self.tolerance * factor, future=future)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The facts in words."""
        return tuple(fact.words(self.unit, self.per) for fact in self.facts)

    @property
    def settle(self) -> tuple[str, ...]:
        """What would settle it, in words."""
        return tuple(what.words(self.unit, self.per) for what in self.settling)

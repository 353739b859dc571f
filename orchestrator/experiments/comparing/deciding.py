"""Does a number differ between two sides of runs? Decided for all together, by the variance between runs. Pure.

The iterations of one run share its process, its place in memory and the state of the machine, so that they say how a
number varies within a run, not how it varies from run to run; taken as independent they find differences between
identical runs. A run counts as one observation here: its mean, or its rate (Kalibera and Jones 2013, "Rigorous
benchmarking in reasonable time", ISMM). The intervals of all numbers hold together with 95 % probability (Bonferroni),
so that one comparison of identical code in twenty shows any difference at all. A difference must also be large enough
to count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from orchestrator.analysis.judging.difference import Difference, run_difference

Change = Literal["worse", "better", "same", "unknown"]
"""``same``: no difference is shown. ``unknown``: one side has no number, or too few runs to say."""

ALPHA = 0.05
"""Probability that a comparison of identical code shows any difference."""

FEWEST_RUNS = 2


@dataclass(frozen=True, slots=True)
class Sides:
    """One number of every run of both sides, and which differences count.

    Attributes:
        first: The number in each run of the first side that has it.
        second: The same of the second side.
        more_is_better: Whether a larger number is better.
        smallest: The smallest difference that counts, unit of the number.
    """

    first: Sequence[float]
    second: Sequence[float]
    more_is_better: bool = False
    smallest: float = 0.0

    @property
    def told(self) -> bool:
        """Whether both sides have the runs that a variance between runs needs."""
        return min(len(self.first), len(self.second)) >= FEWEST_RUNS

    @property
    def varies(self) -> bool:
        """Whether the number is not the same in all runs of a side; else there is no chance in a difference."""
        return len(set(self.first)) > 1 or len(set(self.second)) > 1


def decide_together(numbers: Sequence[Sides]) -> list[tuple[Difference, Change]]:
    """Return the difference of each, with an interval that holds together with all others, and what it means."""
    tested = sum(each.told and each.varies for each in numbers)
    confidence = 1 - ALPHA / max(tested, 1)
    found: list[tuple[Difference, Change]] = []
    for each in numbers:
        if not each.told:
            found.append((Difference(float("nan"), float("-inf"), float("inf")), "unknown"))
            continue
        difference = run_difference(each.first, each.second, confidence=confidence)
        found.append((difference, change_of(difference, each)))
    return found


def change_of(difference: Difference, sides: Sides) -> Change:
    """Return what a difference means: one that is too small to count, or may be none, is ``same``."""
    if not isfinite(difference.low) or not isfinite(difference.high):
        return "unknown"
    if not difference.resolved or abs(difference.value) < sides.smallest:
        return "same"
    return "better" if (difference.value > 0) == sides.more_is_better else "worse"

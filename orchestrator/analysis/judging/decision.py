"""Turn the evidence about one series into a verdict with reasons.

One number leads: the probability that the mean growth ahead exceeds the tolerance. Above one bound the series looks
like a leak, below another like one at rest, between them it is open. Then the rate is asked. A leak needs an interval
above zero, and must neither have been given back nor slow down. A clean series needs an interval within the tolerance,
and one that is seen to grow within it is told as growing, never as at rest.
"""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.fitting.returns import GivenBack, Slowing, given_back, slowing, start_of
from orchestrator.analysis.judging.at_rest import at_rest, within
from orchestrator.analysis.judging.channel_verdict import CLEAN, ChannelVerdict, VerdictName
from orchestrator.analysis.judging.evidence import (
    BENDING,
    CLEARLY,
    SHORT_RECORD,
    STEPS,
    Evidence,
    as_many,
    cycle_fact,
    verdict_of,
)
from orchestrator.analysis.judging.reasons import Reason, Settling
from orchestrator.analysis.judging.unsettled import MOST_TIMES_LONGER, more_iterations, unsettled

__all__ = ["CHECKED_CLEAN_BELOW", "CLEAN", "CLEAN_BELOW", "ChannelVerdict", "VerdictName", "decide"]

LEAK_ABOVE = 0.76
STEPS_LEAK_ABOVE = 0.65
CLEAN_BELOW = 0.013
CHECKED_CLEAN_BELOW = 0.1
"""Probability of growth ahead above which a series is a leak, and below which it is clean.

A staircase needs a little less: what speaks against it, that a pool fills by a few blocks, is in its probability
already. A channel whose parts and whole are judged as well (live heap, memory outside malloc) is clean a
little sooner.
"""


def decide(found: Evidence) -> ChannelVerdict:
    """Return the verdict that the evidence carries."""
    growing = found.shapes.growing
    if growing > (STEPS_LEAK_ABOVE if found.shapes.best in STEPS else LEAK_ABOVE):
        return _growth(found)
    if growing < found.clean_below:
        return at_rest(found) or unsettled(found)
    return unsettled(found)


def _growth(found: Evidence) -> ChannelVerdict:
    """Decide on a series that looks like a leak."""
    shapes, rate = found.shapes, found.rate
    if rate.high < found.tolerance and rate.low > 0:
        return within(found, rate)
    if found.slows_down:
        ahead = shapes.shapes[shapes.best].future / found.units
        why = Reason("grows-and-slows", {"rate": rate.rate, "ahead": ahead})
        return verdict_of(found, "slow-growth", [why], as_many("as-many-rest", found))
    start = start_of(found.values.size, found.warm_up.length)
    back = given_back(found.rest if found.cycle else found.values[start:])
    if back:
        return _given_back(found, back, found.warm_up.length if found.cycle else start)
    slower = slowing(found.values[start:], found.rest, found.noise_floor, cut_at_limit=found.warm_up.at_limit)
    if slower:
        return _slowing(found, slower)
    if rate.low <= 0:
        why = Reason("interval-holds-zero", {"rate": rate.rate})
        return verdict_of(found, "inconclusive", [why], more_iterations(found))
    return verdict_of(found, "leak", _leak_facts(found))


def _leak_facts(found: Evidence) -> list[Reason]:
    shapes = found.shapes
    facts = [Reason("grows", {"rate": found.rate.rate, "since": found.left_out * found.pace.step})]
    best, line = shapes.shapes[shapes.best], shapes.shapes["line"]
    if shapes.best in BENDING and best.future > line.future and line.deficit > CLEARLY:
        facts.append(Reason("sets-in-late"))
    if shapes.best in STEPS:
        facts.append(Reason("grows-in-steps"))
    if found.cycle:
        facts.append(cycle_fact(found.cycle))
    if found.readings <= SHORT_RECORD:
        facts.append(Reason("grows-unseen-end", {"span": found.length}))
    return facts


def _given_back(found: Evidence, back: GivenBack, start: int) -> ChannelVerdict:
    numbers = {"fall": back.fall, "range": back.span, "at": found.place(start + back.at)}
    why = Reason("given-back", numbers)
    level = float(np.max(found.values))
    settling = Settling("as-many-back", {"more": found.length, "level": level})
    return verdict_of(found, "inconclusive", [why], settling)


def _slowing(found: Evidence, slower: Slowing) -> ChannelVerdict:
    facts = [Reason("slowing", {"before": slower.before / found.units, "after": slower.after / found.units})]
    more = slower.readings_until(found.tolerance * found.units) * found.units
    if 0 < more < MOST_TIMES_LONGER * found.length:
        numbers = {"more": more, "tolerance": found.tolerance}
        return verdict_of(found, "slow-growth", facts, Settling("until-slower", numbers))
    return verdict_of(found, "slow-growth", facts, as_many("as-many-rest", found))

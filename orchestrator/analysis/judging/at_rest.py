"""Decide on a series that looks like one at rest.

Clean is a test of equivalence: the whole interval of the growth ahead must lie within what is accepted. Growth that is
measured within it is told with its numbers, never as rest. A clean verdict says what its record cannot show.
"""

from __future__ import annotations

from math import log

import numpy as np

from orchestrator.analysis.fitting.jumps import find_jumps
from orchestrator.analysis.fitting.resting import growth_ahead
from orchestrator.analysis.fitting.returns import start_of
from orchestrator.analysis.fitting.shapes import HORIZON
from orchestrator.analysis.fitting.slope import SlopeEstimate
from orchestrator.analysis.judging.channel_verdict import ChannelVerdict, VerdictName
from orchestrator.analysis.judging.evidence import SHORT_RECORD, Evidence, as_many, cycle_fact, verdict_of
from orchestrator.analysis.judging.reasons import Reason, Settling

_MATERIAL = 5.0  # iterations' worth of tolerance: a measured rise of more is told as growth
_MATERIAL_FLOORS = 100.0  # and with a clock, where the tolerance says nothing of an amount: 0.4 MB of RSS
_RULE_OF_THREE = 3.0
_NEW_LARGEST = log(HORIZON)  # expected number of new maxima in ten times the record (Rényi 1962)
_MOSTLY_UP = 0.1


def at_rest(found: Evidence) -> ChannelVerdict | None:
    """Return the verdict, or None where the interval reaches beyond what is accepted: that is open."""
    ahead = found.per_unit(growth_ahead(found.shapes, found.slope, found.noise_floor))
    if ahead.high >= found.clean_within:
        return None
    if ahead.low > 0 and ahead.rate * ahead.count * found.pace.step > _material(found):
        return within(
            found, found.rate if found.rate.low > 0 and found.rate.high < found.clean_within else ahead
        )
    name, facts = _clean_kind(found, ahead)
    return verdict_of(found, name, [*facts, *_caveats(found)], rate=ahead)


def _material(found: Evidence) -> float:
    """Return the measured rise from which on growth is told, unit of the series."""
    by_hour = found.pace.per == "hour"
    return _MATERIAL_FLOORS * found.noise_floor if by_hour else _MATERIAL * found.tolerance


def within(found: Evidence, rate: SlopeEstimate) -> ChannelVerdict:
    """Return what is said of growth that is measured, and less than what is accepted."""
    numbers = {
        "rate": rate.rate,
        "half": max(rate.high - rate.rate, rate.rate - rate.low),
        "tolerance": found.tolerance,
    }
    if found.pace.iteration_s:
        numbers["iteration_s"] = found.pace.iteration_s
    if found.slows_down:
        why = Reason("within-tolerance-slowing", numbers)
        return verdict_of(found, "slow-growth", [why], as_many("as-many-rest", found), rate)
    why = Reason("within-tolerance", numbers)
    return verdict_of(found, "slow-growth", [why], Settling("tolerance"), rate)


def _clean_kind(found: Evidence, ahead: SlopeEstimate) -> tuple[VerdictName, list[Reason]]:
    """Tell flat, plateau and bounded apart, and say why."""
    tail, half = found.rest, found.rest.size // 2
    level = abs(float(np.median(tail[half:])))
    noise = float(np.std(np.diff(tail))) / np.sqrt(2.0)
    rise = float(np.median(tail[half:])) - float(found.values[0])
    told = {"high": ahead.high, "tolerance": found.tolerance, "rise": rise, "rate": -ahead.rate}
    grows, falls = ahead.low > 0, ahead.high < 0
    if falls:
        return "bounded", [Reason("falls", told), *([cycle_fact(found.cycle)] if found.cycle else [])]
    if found.cycle and found.cycle.size > max(4.0 * noise, 0.002 * level):
        return ("flat" if grows else "bounded"), [
            cycle_fact(found.cycle),
            *([Reason("hardly-grows", told)] if grows else []),
        ]
    if rise > max(3.0 * noise, 10.0 * found.tolerance, 0.01 * level):
        return (
            ("flat", [Reason("rose-and-hardly-grows", told)])
            if grows
            else ("plateau", [Reason("rose-and-rests", told)])
        )
    if grows:
        return "flat", [Reason("hardly-grows", told)]
    spread = float(np.std(found.tail))
    if spread > min(max(5.0 * found.tolerance, 0.002 * level), 3.0 * max(noise, found.tolerance)):
        return "bounded", [Reason("within-bounds")]
    return "flat", [Reason("stays", told)]


def _caveats(found: Evidence) -> list[Reason]:
    """Return what a clean verdict cannot know: growth by a larger maximum, and what is too rare for the record."""
    facts = [Reason("growth-ahead-improbable", {"tolerance": found.tolerance})]
    largest = _keeps_its_largest(found)
    if largest:
        facts.append(largest)
    if found.readings <= SHORT_RECORD:
        facts.append(Reason("rare-events-unseen", {"span": found.length / _RULE_OF_THREE}))
    return facts


def _keeps_its_largest(found: Evidence) -> Reason | None:
    """Return that the series keeps its maximum, where it rose by steps and hardly ever fell; else None.

    Of sizes that come at random the largest of ten times as many lies beyond the first tenth with probability 0.9
    (Rényi 1962); new maxima are expected ln(10) times, and for sizes with an exponential tail each lies above the one
    before by the same amount on average, which the last rises tell.
    """
    start = start_of(found.values.size, found.warm_up.length)
    seen = found.values[start:]
    jumps = find_jumps(seen, found.noise_floor, max(found.tolerance * found.units, found.noise_floor))
    fall = float((np.maximum.accumulate(seen) - seen).max(initial=0.0))
    if not jumps.sizes or jumps.share < 1 - 2 * _MOSTLY_UP or fall > _MOSTLY_UP * float(np.ptp(seen)):
        return None
    room = float(np.mean(jumps.sizes[-3:])) * _NEW_LARGEST
    return Reason("keeps-its-largest", {"at": found.place(start + jumps.at[-1]), "room": room})

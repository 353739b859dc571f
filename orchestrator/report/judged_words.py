"""A judgement in words, the same on the terminal, on the page, in Markdown, JUnit, pytest and ``analyze``. Pure.

:func:`short` is one line, :func:`long` the lines that can follow it; everything else here is a part of them::

    leak: the live heap grows by 0.30 ± 0.01 MB per iteration, RSS by 6.93; fresh processes by 0.00   <- short
    beyond fresh processes: the live heap 0.30 ± 0.01, RSS 6.93 ± 0.12 MB per iteration                <- long
    RSS stands 185 MB above a fresh process after 50 iterations
    made of: live heap 0.30, held but free 6.63 MB per iteration
    because: the live heap grows and is not given back
    50 iterations, the first 3 left out as warm-up; accepted: 0.100 MB per iteration
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judged import AgainstBaseline, BeyondBaseline, CountJudgement, Judged
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.notebook.marks import leaking
from orchestrator.report.cells import number, verdict_words, with_interval

CHANNELS: Mapping[str, str] = {
    "rss": "RSS",
    "rss_anon": "anonymous and shared memory",
    "live": "the live heap",
    "nonmalloc": "memory outside malloc",
    "file": "file-backed memory",
}
"""Channels in words, as they stand in a sentence."""

PARTS: Mapping[str, str] = {
    "live_heap": "live heap",
    "held_free": "held but free",
    "outside_malloc": "outside malloc",
    "shared_memory": "shared memory",
    "file_pages": "file pages",
    "swap": "swap",
}
"""Parts of memory in words, by the attributes of ``Growth``."""

EXPLANATIONS: Mapping[str, str] = {
    "leak": "leak: memory grows and is not given back",
    "plateau": "no leak (plateau): it grew at first and then came to rest",
    "flat": "no leak (flat): it does not grow beyond what is accepted",
    "bounded": "no leak (bounded): it goes up and down within limits",
    "slow-growth": "slow growth: it grows, but more and more slowly, less than is accepted, or not as a leak does",
    "inconclusive": "inconclusive: the readings are not enough to decide",
    "crashed": "crashed: it did not come to its end",
    "unavailable": "unavailable: it could not run",
}
"""Verdicts with what they mean, for a reader who sees a single series."""

_DECLINES = "it declines"
_CAN_DECLINE = ("bounded", "flat", "plateau")


def explanation(judged: Judged) -> str:
    """Return the verdict with what it means; memory that falls is said to, not to move within limits or to rest."""
    rate, tolerance = judged.rate_mb_per_iteration, judged.tolerance
    falls = judged.ci_high is not None and judged.ci_high < 0 and rate is not None
    if (
        falls
        and judged.verdict in _CAN_DECLINE
        and (judged.verdict == "bounded" or -(rate or 0.0) > (tolerance or 0.0))
    ):
        return f"{verdict_words(judged.verdict)}: {_DECLINES}"
    return EXPLANATIONS[judged.verdict]


_MEANINGS: Mapping[str, str] = {
    "leak": "leaks",
    "slow-growth": "grows, but not as a leak does",
    "plateau": "does not leak",
    "flat": "does not leak",
    "bounded": "does not leak",
    "inconclusive": "is not settled",
}
_NO_DISTANCE_MB = 0.5
_COARSE = 0.1
"""Rates from here on are told with two decimals, smaller ones with three."""


def short(judged: Judged) -> str:
    """Return the verdict and the growth on one line, with that of fresh processes; the verdict alone without a rate."""
    growth = growth_words(judged)
    verdict = verdict_words(judged.verdict)
    return f"{verdict}: {growth}{_fresh(judged)}" if growth else verdict


def long(judged: Judged) -> list[str]:
    """Return what stands behind the verdict, a line each: fresh processes, parts, reasons, readings, cures, counts."""
    held, made = judged.against_baseline, made_of(judged)
    return [
        *(filter(None, (beyond_words(held), level_words(held))) if held else ()),
        *([f"made of: {made}"] if made else []),
        *(f"because: {reason}" for reason in judged.reasons),
        *([judged.abandoned] if isinstance(judged, Judgement) and judged.abandoned else []),
        *([readings_words(judged)] if judged.iterations else []),
        *settle_lines(judged),
        *count_lines(judged),
    ]


def meaning(name: str, judged: Judgement) -> str:
    """Return what the judgement says of the series called ``name`` as a sentence without numbers."""
    if judged.verdict == "unavailable":
        said = judged.sentence.removeprefix("unavailable: ")
        return f"{name} is {said}" if said.startswith("not possible: ") else f"{name} did not run: {said}"
    if judged.verdict == "crashed":
        return f"{name} broke off: {judged.sentence}"
    open_ = " and ".join(leaking_counts(judged))
    if not open_:
        return f"{name} {_MEANINGS[judged.verdict]}"
    clean = judged.verdict in CLEAN
    memory = "does not leak memory, but" if clean else f"{_MEANINGS[judged.verdict]}, and"
    return f"{name} {memory} leaks {open_}"


def growth_words(judged: Judged) -> str:
    """Return ``the live heap grows by 0.30 ± 0.01 MB per iteration, RSS by 6.93``; empty without a rate.

    A series with a clock is judged by the hour, and its growth is told by the hour.
    """
    rate, low, high, channel = (
        judged.rate_mb_per_iteration,
        judged.ci_low,
        judged.ci_high,
        judged.rate_channel,
    )
    if rate is None or low is None or high is None or channel is None:
        return ""
    hourly = judged.rate_mb_per_hour
    scale, unit = (hourly / rate, "hour") if rate and hourly is not None else (1.0, "iteration")
    if high < 0:
        moves = f"falls by {plus_minus(-rate * scale, -high * scale, -low * scale)}"
    else:
        verb = "grows" if rate > 0 else "changes"
        moves = f"{verb} by {plus_minus(rate * scale, low * scale, high * scale)}"
    text = f"{CHANNELS.get(channel, channel)} {moves} MB per {unit}"
    other = "rss" if channel == "live" else "live"
    beside = {"rss": judged.rss_rate_mb_per_iteration, "live": judged.heap_rate_mb_per_iteration}[other]
    return text if beside is None else f"{text}, {CHANNELS[other]} by {rate_words(beside * scale)}"


def growth_sentence(judged: Judged) -> str:
    """Return the growth, and that of fresh processes, as a sentence of its own; empty without a rate."""
    growth = growth_words(judged)
    return f"{growth[0].upper()}{growth[1:]}{_fresh(judged)}." if growth else ""


def settle_lines(judged: Judged) -> list[str]:
    """Return a line for each thing that would settle the verdict."""
    return [f"to settle it: {what}" for what in judged.settle]


def _fresh(judged: Judged) -> str:
    """Return what fresh processes grow by in the channel that decided, else in RSS."""
    held = judged.against_baseline
    found = held.channels.get(held.rate_channel) if held else None
    if held is None or found is None or found.fresh_mb_per_iteration is None:
        return ""
    whose = "fresh processes" if held.rate_channel == judged.rate_channel else "RSS of fresh processes"
    return f"; {whose} by {rate_words(found.fresh_mb_per_iteration)}"


def rate_words(rate: float) -> str:
    """Return a rate with two decimals, with three below a tenth."""
    return number(rate, _decimals(rate))


def plus_minus(rate: float | None, low: float | None, high: float | None) -> str:
    """Return a rate with its interval as :func:`.cells.with_interval` does; a dash for None."""
    return number(None) if rate is None else with_interval(rate, low, high, _decimals(rate))


def _decimals(rate: float) -> int:
    return 3 if 0.0005 <= abs(rate) < _COARSE else 2


def made_of(judged: Judged) -> str:
    """Return ``live heap 0.30, held but free 6.63 MB per iteration``; empty where no growth is shown.

    The parts are plain slopes without an interval, so they are only told where the interval of the whole lies above
    zero. A part moves when it does so by a hundredth of a MB per iteration.
    """
    if judged.ci_low is None or judged.ci_low <= 0:
        return ""
    known = {name: getattr(judged.composition, part) for part, name in PARTS.items()}
    said = [
        f"{name} {number(rate)}" for name, rate in known.items() if rate is not None and abs(rate) >= 0.01
    ]
    return f"{', '.join(said)} MB per iteration" if said else ""


def beyond_words(held: AgainstBaseline) -> str:
    """Return what a method grows by beyond fresh processes, in the channel that decided and in RSS."""
    names = list(dict.fromkeys((held.rate_channel, "rss")))
    rates = [f"{CHANNELS[name]} {_beyond(held.channels[name])}" for name in names if name in held.channels]
    if not rates:
        return ""
    no_more = ": no more than they do themselves" if _as_much(held.channels.get(held.rate_channel)) else ""
    return f"beyond fresh processes: {', '.join(rates)} MB per iteration{no_more}"


def level_words(held: AgainstBaseline) -> str:
    """Return how far a method stands above a fresh process; empty where that is not known."""
    level = held.level
    if level is None:
        return ""
    after = "after 1 iteration" if level.iteration == 1 else f"after {level.iteration} iterations"
    age = "" if level.life == 1 else f" of {level.life} iterations"
    if abs(level.above_mb) < _NO_DISTANCE_MB:
        return f"RSS stands where that of a fresh process{age} does {after}"
    side = "above" if level.above_mb >= 0 else "below"
    return f"RSS stands {abs(level.above_mb):.0f} MB {side} a fresh process{age} {after}"


def count_lines(judged: Judged) -> list[str]:
    """Return a sentence for descriptors and threads that are not back to where they were."""
    counted = {"descriptors": judged.descriptors, "threads": judged.threads}
    return [count_words(name, found) for name, found in counted.items() if found and worth_telling(found)]


def leaking_counts(judged: Judged) -> list[str]:
    """Return which of ``descriptors`` and ``threads`` leak."""
    return [name for name, _ in leaking(judged)]


def worth_telling(found: CountJudgement) -> bool:
    """Whether a count is more than a number in a table: it is not clean, and has grown."""
    return found.verdict not in CLEAN and found.last > found.first


def count_words(name: str, found: CountJudgement) -> str:
    """Return ``descriptors: leak, 1.00 ± 0.00 per iteration (12 at first, 61 at last)``."""
    rate = plus_minus(found.rate_per_iteration, found.ci_low, found.ci_high)
    verdict = verdict_words(found.verdict)
    return f"{name}: {verdict}, {rate} per iteration ({found.first} at first, {found.last} at last)"


def readings_words(judged: Judged) -> str:
    """Return how many iterations were judged, how many of them were left out, and what growth is accepted."""
    hourly = judged.tolerance_mb_per_hour
    what = "iteration" if hourly is None else "reading"
    text = f"1 {what}" if judged.iterations == 1 else f"{judged.iterations} {what}s"
    if judged.warm_up:
        text += f", the first {judged.warm_up} left out as warm-up"
    if hourly is not None:
        return f"{text}; accepted: {hourly:.3g} MB per hour"
    return text + (f"; accepted: {judged.tolerance:.3f} MB per iteration" if judged.tolerance else "")


def _beyond(held: BeyondBaseline) -> str:
    return plus_minus(held.beyond_mb_per_iteration, held.beyond_ci_low, held.beyond_ci_high)


def _as_much(held: BeyondBaseline | None) -> bool:
    """Whether the difference's interval includes none, or lies below it."""
    return held is not None and held.beyond_ci_low is not None and held.beyond_ci_low <= 0

"""A judgement's parts in words, the same on the terminal, in files' findings and on the page. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judged import AgainstBaseline, BeyondBaseline, CountJudgement, Judged
from orchestrator.report.cells import number, with_interval

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

_NO_DISTANCE_MB = 0.5
_COARSE = 0.1
"""Rates from here on are told with two decimals, smaller ones with three."""


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
    counted = {"descriptors": judged.descriptors, "threads": judged.threads}
    return [name for name, found in counted.items() if found and found.verdict == "leak"]


def worth_telling(found: CountJudgement) -> bool:
    """Whether a count is more than a number in a table: it is not clean, and has grown."""
    return found.verdict not in CLEAN and found.last > found.first


def count_words(name: str, found: CountJudgement) -> str:
    """Return ``descriptors: leak, 1.00 ± 0.00 per iteration (12 at first, 61 at last)``."""
    rate = plus_minus(found.rate_per_iteration, found.ci_low, found.ci_high)
    return f"{name}: {found.verdict}, {rate} per iteration ({found.first} at first, {found.last} at last)"


def readings_words(judged: Judged) -> str:
    """Return how many iterations were judged, how many of them were left out, and what growth is accepted."""
    text = "1 iteration" if judged.iterations == 1 else f"{judged.iterations} iterations"
    if judged.warm_up:
        text += f", the first {judged.warm_up} left out as warm-up"
    return text + (f"; accepted: {judged.tolerance:.3f} MB per iteration" if judged.tolerance else "")


def _beyond(held: BeyondBaseline) -> str:
    return plus_minus(held.beyond_mb_per_iteration, held.beyond_ci_low, held.beyond_ci_high)


def _as_much(held: BeyondBaseline | None) -> bool:
    """Whether the difference's interval includes none, or lies below it."""
    return held is not None and held.beyond_ci_low is not None and held.beyond_ci_low <= 0

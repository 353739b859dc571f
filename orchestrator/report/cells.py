"""How numbers read in a table: two decimals as in the original study, a dash for what is not known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

UNKNOWN = "–"
AT_ONCE = "–¹"
"""No speed, because all text came at once; the footnote below the table explains it."""
NOT_APPLICABLE = "N/A"

_LOPSIDED = 0.1
"""By which share of its half-width the middle of an interval may lie beside the value."""

Numbers = Mapping[str, Any]
Cell = Callable[[Numbers], str]


def number(value: float | None, decimals: int = 2) -> str:
    """Return ``1356.05``; a dash for None. Never ``-0.00``."""
    if value is None:
        return UNKNOWN
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def amount(key: str) -> Cell:
    """Return the cell that shows ``key`` of a summary."""
    return lambda numbers: number(numbers.get(key))


def speed(numbers: Numbers) -> str:
    """Return characters per second, or the mark of text that came all at once."""
    value = numbers.get("avg_speed_chars_per_s")
    return AT_ONCE if value is None and numbers.get("text_at_once") else number(value)


def with_interval(value: float, low: float | None, high: float | None, decimals: int = 2) -> str:
    """Return ``6.93 ± 0.12``: a value and half the width of its interval, or ``6.93`` where that has an end missing.

    An interval that is not about the value is written with its ends, ``1.81 (0.21 to 6.63)``: half its width would
    speak of values that it excludes.
    """
    if low is None or high is None:
        return number(value, decimals)
    half = (high - low) / 2
    if abs((high + low) / 2 - value) > max(_LOPSIDED * half, 10.0**-decimals):
        return f"{number(value, decimals)} ({number(low, decimals)} to {number(high, decimals)})"
    return f"{number(value, decimals)} ± {number(half, decimals)}"


def rate_with_interval(rate: Numbers | None) -> str:
    """Return the slope with its 95 % interval, in MB per iteration."""
    if rate is None or rate.get("rate_mb_per_iter") is None:
        return UNKNOWN
    return with_interval(rate["rate_mb_per_iter"], rate["low_mb_per_iter"], rate["high_mb_per_iter"])


def net_change(numbers: Numbers) -> str:
    """Return what a model leaves behind per iteration: of the live heap where that was read, else of RSS."""
    channels: Numbers = numbers.get("net_change") or {}
    found = channels.get("live") or channels.get("rss")
    if not found:
        return UNKNOWN
    mean = found["per_iteration"]
    return with_interval(mean["rate"], mean["low"], mean["high"], 4)


def leak_rate(numbers: Numbers) -> str:
    """Return the leak rate at the method's own boundary."""
    return rate_with_interval(numbers.get("leak_rate"))


def verdict(numbers: Numbers) -> str:
    """Return the judgement in one word; a dash where nothing was judged."""
    judgement: Numbers = numbers.get("judgement") or {}
    return str(judgement.get("verdict") or UNKNOWN)


def beyond_baseline(numbers: Numbers) -> str:
    """Return the growth of the leak series beyond that of fresh processes, with its interval; a dash without them."""
    channels: Numbers = _against(numbers).get("channels") or {}
    held: Numbers = channels.get("rss_anon") or channels.get("rss") or {}
    if held.get("beyond_mb_per_iteration") is None:
        return UNKNOWN
    low, high = held.get("beyond_ci_low"), held.get("beyond_ci_high")
    return with_interval(held["beyond_mb_per_iteration"], low, high)


def above_fresh(numbers: Numbers) -> str:
    """Return by how many MB the last reading stands above a fresh process; a dash without one."""
    level: Numbers = _against(numbers).get("level") or {}
    return number(level.get("above_mb"))


def _against(numbers: Numbers) -> Numbers:
    judgement: Numbers = numbers.get("judgement") or {}
    held: Numbers | None = judgement.get("against_baseline")
    return held or {}


def iterations(numbers: Numbers) -> str:
    """Return how many iterations were run; a dash where none was."""
    done = numbers.get("iterations")
    return str(done) if done else UNKNOWN


def outcome(numbers: Numbers) -> str:
    """Return ``completed``, ``crashed (29/100)``, ``unavailable``; ``not run`` where there are no numbers."""
    if "outcome" not in numbers:
        return "not run"
    word = str(numbers["outcome"])
    done = numbers.get("iterations")
    return f"{word} ({done}/{numbers.get('iterations_planned')})" if word != "completed" and done else word

"""What a leak check found, as the message of a failed test or of a report's section. Pure."""

from __future__ import annotations

import re

from orchestrator.analysis.judging.judged import CountJudgement
from orchestrator.experiments.storage.records import SeriesEnd
from orchestrator.leakgate.result import LeakCheckResult
from orchestrator.report.cells import verdict_words
from orchestrator.report.judged_words import CHANNELS, growth_sentence, made_of
from orchestrator.stderr_lines import own_line

_LAST_LINES = 25
_MB = 1 << 20
_SMALL_MB = 0.01
"""Growth per call that is told in bytes below this, in MB from here on."""


def message(
    name: str, judged: LeakCheckResult, end: SeriesEnd, limit_mb: float | None = None, failed: str = ""
) -> str:
    """Return the message: the verdict line, rates with intervals, reasons, composition, what would settle it.

    ``limit_mb`` is the growth per call that was let through; ``failed`` names what failed instead of memory. A function
    that raised, or whose process died, has the end of its output.
    """
    if judged.verdict in ("crashed", "unavailable"):
        return "\n".join(
            [f"leak_check({name}): {judged.sentence}", *_stderr_lines(end), *_how_to_get_it(end)]
        )
    limit = "" if limit_mb is None else f"; let through: {limit_mb:g} MB per iteration"
    lines = [f"leak_check({name}): {failed or verdict_words(judged.verdict)}{limit}"]
    lines += [
        f"  {count_sentence(each, found)}"
        for each, found in judged.resources.items()
        if _worth_telling(found)
    ]
    if said := _amounts(judged):
        lines.append(f"  {said}")
    lines.append(f"  {calls_words(judged)}")
    if judged.python_blocks is not None and _worth_telling(judged.python_blocks):
        lines.append(f"  {count_sentence('python blocks', judged.python_blocks)}")
    lines += [f"  because: {_per_reading(each, judged.calls_per_reading)}" for each in judged.reasons]
    if parts := made_of(judged):
        lines.append(f"  made of: {parts}")
    lines += [f"  to settle it: {_per_reading(each, judged.calls_per_reading)}" for each in judged.settle]
    return "\n".join(lines)


def passed_words(name: str, judged: LeakCheckResult) -> str:
    """Return what a check that passed says: the verdict, and how small a leak would have failed it."""
    return f"leak_check({name}): {verdict_words(judged.verdict)}; {calls_words(judged)}"


def calls_words(judged: LeakCheckResult) -> str:
    """Return how many readings and calls were judged, and the smallest leak per call they would have shown."""
    text = f"{judged.iterations} iterations"
    if judged.calls_per_reading > 1:
        text = f"{judged.iterations} readings, {judged.calls_per_reading} calls before each"
    text += f"; {judged.calls} calls in all"
    if judged.smallest_leak_bytes is not None:
        text += f"; the smallest leak it would have found: {_bytes(judged.smallest_leak_bytes)} per call"
    return text


def count_sentence(name: str, found: CountJudgement) -> str:
    """Return ``descriptors: leak, 1 more every call (12 at first, 61 at last)``."""
    rate = found.rate_per_iteration or 0.0
    pace = "none more" if rate <= 0 else _pace(rate)
    verdict = f"{name.replace('_', ' ')}: {verdict_words(found.verdict)}"
    return f"{verdict}, {pace} ({found.first} at first, {found.last} at last)"


def _pace(rate: float) -> str:
    if rate >= 0.95:
        return f"{rate:.3g} more every call"
    return f"1 more every {1 / rate:.3g} calls"


def _worth_telling(found: CountJudgement) -> bool:
    return found.verdict == "leak" or (
        found.verdict in ("slow-growth", "inconclusive") and found.last > found.first
    )


def _per_reading(reason: str, calls: int) -> str:
    """Return a reason of the analysis, for which a reading is an iteration, however many calls lie before it."""
    return reason if calls == 1 else re.sub(r"\biteration", "reading", reason)


def _amounts(judged: LeakCheckResult) -> str:
    rate, low, high = judged.rate_mb_per_iteration, judged.ci_low, judged.ci_high
    if rate is None or low is None or high is None or judged.rate_channel is None or abs(rate) >= _SMALL_MB:
        return growth_sentence(judged)
    channel = CHANNELS[judged.rate_channel]
    verb = "grows" if rate > 0 else "changes"
    interval = f"({low * _MB:.1f} to {high * _MB:.1f})"
    return f"{channel[0].upper()}{channel[1:]} {verb} by {rate * _MB:.1f} {interval} bytes per call (95 % interval)."


def _bytes(size: float) -> str:
    if size >= 0.1 * _MB:
        return f"{size / _MB:.2f} MB"
    return f"{size / 1024:.1f} KB" if size >= 10_000 else f"{max(size, 0.1):.{0 if size >= 10 else 1}f} bytes"


def _stderr_lines(end: SeriesEnd) -> list[str]:
    said = end.stderr_tail.rstrip().splitlines()
    left_out = [f"  ({len(said) - _LAST_LINES} lines before)"] if len(said) > _LAST_LINES else []
    shown, first = said[-_LAST_LINES:], own_line(end.stderr_tail)
    told = [f"  {first}"] if first and first not in (line.strip() for line in shown) else []
    return [*told, *left_out, *(f"  {line}" for line in shown)]


def _how_to_get_it(end: SeriesEnd) -> list[str]:
    return [f"  to get it: {end.how_to_get_it}"] if end.how_to_get_it else []

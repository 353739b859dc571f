"""The verdict in words below a table, for every method that is not clean, held against fresh processes. Pure.

::

    Restart(): leak: the live heap grows by 0.30 ± 0.01 MB per iteration, RSS by 6.93; fresh processes by 0.00
        beyond fresh processes: the live heap 0.30 ± 0.01, RSS 6.93 ± 0.12 MB per iteration
        RSS stands 185 MB above a fresh process after 50 iterations
        made of: live heap 0.30, held but free 6.63 MB per iteration
        because: the live heap grows and is not given back
        50 iterations, the first 3 left out as warm-up; accepted: 0.100 MB per iteration
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judged import AgainstBaseline, Judged
from orchestrator.config.types import Experiment
from orchestrator.report import judged_words as words
from orchestrator.report.cells import Numbers
from orchestrator.report.layout import Line, Role
from orchestrator.report.names import method_name
from orchestrator.report.shape import columns_of

_TOLD_ELSEWHERE = frozenset({"crashed", "unavailable"})
"""How a series ended has its own lines below the table."""


def verdict_lines(experiment: Experiment, summaries: Mapping[str, Numbers]) -> list[Line]:
    """Return the lines of every series that is judged and not clean, in the order of the columns.

    A clean one has lines when its descriptors or threads are not.
    """
    lines: list[Line] = []
    for series in columns_of(experiment):
        found: Mapping[str, Any] = summaries.get(series.key, {}).get("judgement") or {}
        if found.get("verdict") is None or found["verdict"] in _TOLD_ELSEWHERE:
            continue
        judged = msgspec.convert(found, Judged)
        lines += _of_series(method_name(series, summaries[series.key]), judged)
    return lines


def _of_series(name: str, judged: Judged) -> list[Line]:
    counts = words.count_lines(judged)
    bad = judged.verdict == "leak" or any("leak" in each for each in counts)
    role: Role = "bad" if bad else "note"
    if judged.verdict in CLEAN or judged.tolerance is None:
        return [Line(f"{name}: {each}", role) for each in counts]
    if judged.ci_low is None:
        settle = "".join(f"; to settle it: {what}" for what in judged.settle[:1])
        return [Line(f"{name}: {_found(judged)}{settle}", role)]
    details = [*_details(judged), *counts]
    return [Line(f"{name}: {_found(judged)}", role), *(Line(f"    {each}", "note") for each in details)]


def _details(judged: Judged) -> list[str]:
    held, made = judged.against_baseline, words.made_of(judged)
    return [
        *(filter(None, (words.beyond_words(held), words.level_words(held))) if held else ()),
        *([f"made of: {made}"] if made else []),
        *(f"because: {reason}" for reason in judged.reasons),
        words.readings_words(judged),
        *(f"to settle it: {what}" for what in judged.settle),
    ]


def _found(judged: Judged) -> str:
    """Return the verdict and the growth of the channel that decided, with the other rate beside it."""
    channel = str(judged.rate_channel)
    if judged.rate_mb_per_iteration is None or judged.ci_low is None or judged.ci_high is None:
        return judged.verdict
    rate = words.plus_minus(judged.rate_mb_per_iteration, judged.ci_low, judged.ci_high)
    text = f"{judged.verdict}: {words.CHANNELS.get(channel, channel)} grows by {rate} MB per iteration"
    beside = {"rss": judged.rss_rate_mb_per_iteration, "live": judged.heap_rate_mb_per_iteration}
    name = "rss" if channel == "live" else "live"
    other = beside[name]
    text += "" if other is None else f", {words.CHANNELS[name]} by {words.rate_words(other)}"
    return text + _fresh(judged.against_baseline, channel)


def _fresh(held: AgainstBaseline | None, channel: str) -> str:
    """Return what fresh processes grow by in the channel that decided, else in RSS."""
    found = held.channels.get(held.rate_channel) if held else None
    if held is None or found is None or found.fresh_mb_per_iteration is None:
        return ""
    whose = "fresh processes" if held.rate_channel == channel else "RSS of fresh processes"
    return f"; {whose} by {words.rate_words(found.fresh_mb_per_iteration)}"

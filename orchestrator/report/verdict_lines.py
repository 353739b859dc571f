"""The verdict in words, one line a method that is not clean, held against fresh processes. Pure.

``Restart(): leak: the live heap grows by 0.30 ± 0.01 MB per iteration, RSS by 6.93; fresh processes by 0.00``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.config.types import Experiment, Series
from orchestrator.report.cells import Numbers, number
from orchestrator.report.layout import Line
from orchestrator.report.names import method_name
from orchestrator.report.shape import columns_of, pairs_of

_CLEAN = frozenset({"flat", "plateau", "bounded"})
_CHANNELS = {
    "rss": "RSS",
    "rss_anon": "anonymous memory",
    "live": "the live heap",
    "nonmalloc": "memory outside malloc",
    "file": "file-backed memory",
}
_TOLD_ELSEWHERE = frozenset({"crashed", "unavailable"})
"""How a series ended has its own lines below the table."""


def verdict_lines(experiment: Experiment, summaries: Mapping[str, Numbers]) -> list[Line]:
    """Return a line for every series that is judged and not clean, in the order of the columns."""
    baselines = {series.key: baseline for series, baseline in pairs_of(experiment)}
    lines: list[Line] = []
    for series in columns_of(experiment):
        judged: Mapping[str, Any] = summaries.get(series.key, {}).get("judgement") or {}
        word = judged.get("verdict")
        if word is None or word in _CLEAN or word in _TOLD_ELSEWHERE or judged.get("tolerance") is None:
            continue
        fresh = _fresh(baselines.get(series.key), series, summaries)
        text = f"{method_name(series, summaries[series.key])}: {_found(judged)}{fresh}"
        text += "".join(f"; to settle it: {what}" for what in judged.get("settle", [])[:1])
        lines.append(Line(text, "bad" if word == "leak" else "note"))
    return lines


def _found(judged: Mapping[str, Any]) -> str:
    """Return the verdict and the growth of the channel that decided, with the other rate beside it."""
    word, channel = str(judged["verdict"]), str(judged.get("rate_channel"))
    rate, low, high = (judged.get(key) for key in ("rate_mb_per_iteration", "ci_low", "ci_high"))
    if rate is None or low is None or high is None:
        return word
    grows = f"{number(rate)} ± {number((high - low) / 2)} MB per iteration"
    text = f"{word}: {_CHANNELS.get(channel, channel)} grows by {grows}"
    heap, rss = judged.get("heap_rate_mb_per_iteration"), judged.get("rss_rate_mb_per_iteration")
    if channel == "live" and rss is not None:
        return f"{text}, RSS by {number(rss)}"
    return text if heap is None else f"{text}, the live heap by {number(heap)}"


def _fresh(baseline: Series | None, series: Series, summaries: Mapping[str, Numbers]) -> str:
    """Return what the baseline does, read at the boundary of the method it is held against."""
    if baseline is None:
        return ""
    judged: Mapping[str, Any] = summaries[series.key]["judgement"]
    rate: Mapping[str, Any] = summaries.get(baseline.key, {}).get(f"leak_rate_{judged['boundary']}") or {}
    value = rate.get("rate_mb_per_iter")
    return "" if value is None else f"; fresh processes by {number(value)}"

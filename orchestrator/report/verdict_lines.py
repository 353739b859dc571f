"""The verdict in words, one line a method that is not clean, held against fresh processes. Pure.

``Restart(): leak, 6.93 ± 0.12 MB per iteration (live heap 0.30); fresh processes 0.00``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.config.types import Experiment, Series
from orchestrator.report.cells import Numbers, number, rate_with_interval
from orchestrator.report.layout import Line
from orchestrator.report.names import method_name
from orchestrator.report.shape import columns_of, pairs_of

_CLEAN = frozenset({"flat", "plateau", "bounded"})
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
        text = f"{method_name(series, summaries[series.key])}: {_found(judged, summaries[series.key])}{fresh}"
        text += "".join(f"; to settle it: {what}" for what in judged.get("settle", [])[:1])
        lines.append(Line(text, "bad" if word == "leak" else "note"))
    return lines


def _found(judged: Mapping[str, Any], summary: Numbers) -> str:
    rate = summary.get("leak_rate")
    text = str(judged["verdict"])
    if rate and rate.get("rate_mb_per_iter") is not None:
        text += f", {rate_with_interval(rate)} MB per iteration"
    heap = judged.get("heap_rate_mb_per_iteration")
    return text if heap is None else f"{text} (live heap {number(heap)})"


def _fresh(baseline: Series | None, series: Series, summaries: Mapping[str, Numbers]) -> str:
    """Return what the baseline does, read at the boundary of the method it is held against."""
    if baseline is None:
        return ""
    judged: Mapping[str, Any] = summaries[series.key]["judgement"]
    rate: Mapping[str, Any] = summaries.get(baseline.key, {}).get(f"leak_rate_{judged['boundary']}") or {}
    value = rate.get("rate_mb_per_iter")
    return "" if value is None else f"; fresh processes {number(value)}"

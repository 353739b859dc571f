"""The verdict below a table, for every method that is not clean, with what stands behind it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judged import Judged
from orchestrator.config.types import Experiment
from orchestrator.report import judged_words as words
from orchestrator.report.layout import Line, Role
from orchestrator.report.names import method_name
from orchestrator.report.shape import columns_of
from orchestrator.report.summaries import NOT_RUN, SeriesSummary

_TOLD_ELSEWHERE = frozenset({"crashed", "unavailable"})
"""How a series ended has its own lines below the table."""


def verdict_lines(
    experiment: Experiment, summaries: Mapping[str, SeriesSummary], *, details: bool = True
) -> list[Line]:
    """Return the lines of every series that is judged and not clean, in the order of the columns.

    A clean one has lines when its descriptors or threads are not. Without ``details`` each has its first line only.
    """
    lines: list[Line] = []
    for series in columns_of(experiment):
        judged = summaries.get(series.key, NOT_RUN).judgement
        if judged is not None and judged.verdict not in _TOLD_ELSEWHERE:
            lines += _of_series(method_name(series, summaries[series.key]), judged, details=details)
    return lines


def _of_series(name: str, judged: Judged, *, details: bool) -> list[Line]:
    counts = words.count_lines(judged)
    bad = judged.verdict == "leak" or any("leak" in each for each in counts)
    role: Role = "bad" if bad else "note"
    if judged.verdict in CLEAN or judged.tolerance is None:
        return [Line(f"{name}: {each}", role) for each in counts]
    if judged.ci_low is None:
        settle = "".join(f"; {line}" for line in words.settle_lines(judged)[:1])
        return [Line(f"{name}: {words.short(judged)}{settle}", role)]
    below = words.long(judged) if details else counts
    return [Line(f"{name}: {words.short(judged)}", role), *(Line(f"    {each}", "note") for each in below)]

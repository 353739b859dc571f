"""What a fork in the place of a load costs and saves: the lines about the method warm. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.config.types import Experiment, Series
from orchestrator.report.cells import number
from orchestrator.report.layout import Line
from orchestrator.report.names import method_name
from orchestrator.report.shape import columns_of, pairs_of
from orchestrator.report.summaries import NOT_RUN, SeriesSummary, TemplateSummary

SHOWN_WORKERS = 4
"""So many workers side by side are reckoned with, to show that the template counts once."""


def warm_lines(experiment: Experiment, summaries: Mapping[str, SeriesSummary]) -> list[Line]:
    """Return what the memory of each warm series counts, and what it saves against the baseline."""
    return [
        Line(f"{method_name(series)}{sentence}.", "note")
        for series in columns_of(experiment)
        for sentence in warm_sentences(experiment, series, summaries)
    ]


def warm_sentences(
    experiment: Experiment, series: Series, summaries: Mapping[str, SeriesSummary]
) -> list[str]:
    """Return the same as ends of sentences that begin with the method's name; none where it was not measured warm."""
    summary = summaries.get(series.key, NOT_RUN)
    if series.method != "warm" or not summary.templates:
        return []
    several = len(summary.templates) > 1
    said = [_template(role if several else "", one) for role, one in summary.templates.items()]
    counts = (
        ": memory, RSS and peak are the pages that a process has for itself; what it shares counts once, in "
    )
    counts += " and ".join(said)
    baseline = next((other for one, other in pairs_of(experiment) if one.key == series.key), None)
    cold = summaries.get(baseline.key, NOT_RUN) if baseline else NOT_RUN
    saving = _saving(method_name(baseline), summary, cold) if baseline else ""
    return list(filter(None, (counts, saving)))


def _template(role: str, one: TemplateSummary) -> str:
    whose = f"the template of {role}" if role else "its template"
    times = f", each of {one.started}" if one.started > 1 else ""
    return (
        f"{whose} ({number(one.memory_mb, 1)} MB, loaded in {number(one.load_s)} s, "
        f"ready to be forked after {number(one.start_s)} s{times})"
    )


def _saving(name: str, warm: SeriesSummary, cold: SeriesSummary) -> str:
    """Return what a fork takes in the place of a start and a load: time, first text, memory."""
    found: list[str] = []
    if warm.ready_ms is not None and cold.ready_ms is not None:
        found.append(
            f"start and load {number(warm.ready_ms, 1)} ms in place of {number(cold.ready_ms, 1)} ms"
        )
    if warm.avg_ttft_ms is not None and cold.avg_ttft_ms is not None:
        found.append(f"TTFT {number(warm.avg_ttft_ms, 1)} ms in place of {number(cold.avg_ttft_ms, 1)} ms")
    if warm.max_peak_mb is not None and cold.max_peak_mb is not None and warm.template_mb is not None:
        alone = f"{number(warm.max_peak_mb, 1)} MB in place of {number(cold.max_peak_mb, 1)} MB"
        together = warm.template_mb + SHOWN_WORKERS * warm.max_peak_mb
        found.append(
            f"peak {alone} a process; {SHOWN_WORKERS} side by side take {number(together, 1)} MB with the template, "
            f"in place of {number(SHOWN_WORKERS * cold.max_peak_mb, 1)} MB"
        )
    return f" against {name}: {', '.join(found)}" if found else ""

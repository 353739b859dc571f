"""What the experiment's own levers have shown, and which methods ended early, as lines below a table. Pure.

The sentences are made where the numbers are (:mod:`orchestrator.analysis.planning.lever_words`) and kept in the
summaries.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.config.types import Experiment
from orchestrator.report.layout import Line
from orchestrator.report.names import method_name
from orchestrator.report.shape import columns_of
from orchestrator.report.summaries import SeriesSummary


def lever_sentences(summary: SeriesSummary) -> list[str]:
    """Return what is said of one series: whose the growth is, its variant with its cost, the split by load, the trim.

    The split is told of the live heap where its channel is on, else of RSS. Of a variant only what it changes is
    told; the rest is in the summary.
    """
    levers = summary.levers
    if variant := levers.variant:
        return [
            *net_change_sentences(summary),
            "; ".join(filter(None, (variant.sentence, variant.cost))),
        ]
    said = [
        *net_change_sentences(summary),
        *(each.sentence for each in levers.load_split[:1]),
        levers.trim.sentence if levers.trim else "",
    ]
    return [sentence for sentence in said if sentence]


def net_change_sentences(summary: SeriesSummary) -> list[str]:
    """Return which model grows, and by load or by job: of the live heap where its channel is on, else of RSS."""
    found = summary.net_changes or []
    return [one.sentence for one in found[:1] if one.sentence]


def early_end(summary: SeriesSummary) -> str:
    """Return ``settled as leak after 38 of 50 iterations: 12 iterations saved``; nothing for any other end."""
    return summary.sentence if summary.stopped == "settled" else ""


def lever_lines(
    experiment: Experiment, summaries: Mapping[str, SeriesSummary], *, details: bool = True
) -> list[Line]:
    """Return a line for every lever that was pulled, in the order of the columns; else those of variants only."""
    return [
        Line(f"{method_name(series, summaries[series.key])}: {sentence}", "note")
        for series in columns_of(experiment)
        if series.key in summaries and (details or series.variant)
        for sentence in lever_sentences(summaries[series.key])
    ]


def early_end_lines(experiment: Experiment, summaries: Mapping[str, SeriesSummary]) -> list[Line]:
    """Return a line for every method that ended before the iterations that were planned."""
    return [
        Line(f"{method_name(series, summaries[series.key])}: {sentence}", "note")
        for series in columns_of(experiment)
        if series.key in summaries and (sentence := early_end(summaries[series.key]))
    ]


def iterations_title(experiment: Experiment, summaries: Mapping[str, SeriesSummary]) -> str:
    """Return ``50 iterations``, or ``up to 50 iterations`` where a method ended early."""
    up_to = "up to " if any(map(early_end, summaries.values())) else ""
    return f"{up_to}{experiment.iterations} iterations"

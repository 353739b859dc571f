"""The charts of one experiment: memory over iterations first, the others folded. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.notebook.rates import significant
from orchestrator.report.html import verdicts
from orchestrator.report.html.charts.composition_chart import composition_chart, highest, parts_of
from orchestrator.report.html.charts.legend import Key, legend, series_legend
from orchestrator.report.html.charts.memory_chart import memory_chart
from orchestrator.report.html.charts.palette import PARTS as PARTS_COLORS
from orchestrator.report.html.charts.palette import PHASES
from orchestrator.report.html.charts.phases_chart import phases_chart
from orchestrator.report.html.charts.readings import CHANNELS, broke_off, fits_of, values_of, warm_ups
from orchestrator.report.html.charts.still import HALF
from orchestrator.report.html.charts.timeline_chart import common_domain, timeline_chart
from orchestrator.report.html.content import ExperimentContent, SeriesContent
from orchestrator.report.html.figures import Figures
from orchestrator.report.html.markup import Html, element, folded, joined, table, text
from orchestrator.report.html.plain.memory_lines import memory_lines
from orchestrator.report.html.plain.memory_parts import memory_parts
from orchestrator.report.html.plain.phase_times import phase_times
from orchestrator.report.html.plain.time_series import time_series
from orchestrator.report.judged_words import PARTS

_MEMORY = "Memory (RSS) of each method over iterations, each read at the method's own boundary."
_FRESH = "Fresh processes are drawn where each method that is held against them is read."
_WARM = "Of warm processes it is the memory that they do not share with their template."
_HEAP = (
    "Live heap since the first iteration: bytes the program holds from malloc, as its allocator counts them. "
    "Growth here is not retention: these bytes have not been freed."
)
_TIMES = "Seconds each phase takes: median over the iterations, and a line from shortest to longest."
_COUNTS = ("threads", "descriptors")
_HEAP_HEIGHT = 190


def main_chart(content: ExperimentContent, figures: Figures) -> Html:
    """Return the figure that an experiment begins with; a sentence where nothing was measured."""
    caption = " ".join(
        [
            _MEMORY,
            *([_FRESH] if content.fresh else []),
            *([_WARM] if any(each.method == "warm" for each in content.series) else []),
        ]
    )
    return figures.add(
        memory_chart(content.drawn),
        caption,
        otherwise="No iteration has been measured.",
        plain=lambda: memory_lines(content.drawn, "rss", caption),
        above=_names(content.drawn, "rss"),
        legend=_kinds(content.drawn, "rss"),
    )


def further_charts(content: ExperimentContent, figures: Figures) -> Html:
    """Return the other charts, which open on a click; nothing where nothing was measured."""
    parts = [
        _heap(content, figures),
        _compositions(content, figures),
        _timelines(content, figures),
        _phases(content, figures),
    ]
    if not any(each.points or each.timeline or each.phase_times for each in content.series):
        return Html("")
    return folded("More charts: live heap, what the memory is made of, time series, phases", joined(parts))


def _names(series: Sequence[SeriesContent], channel: str) -> Html:
    return series_legend(series, [each for each in series if values_of(each, CHANNELS[channel])])


def _kinds(series: Sequence[SeriesContent], channel: str) -> Html:
    """Return what is drawn beside the readings, as far as it is there."""
    drawn = CHANNELS[channel]
    fits = [fit for each in series for fit in fits_of(each, drawn, values_of(each, drawn))]
    keys = [
        Key("fitted growth", "muted", "thick") if fits else None,
        Key("its 95 % interval", "muted", "fan") if any(fit.low_mb is not None for fit in fits) else None,
        Key("warm-up, not judged; the strip says whose", "rule", "box") if warm_ups(series, drawn) else None,
        Key("broke off", "red", "sign", sign="✕") if broke_off(series) else None,
    ]
    return legend([key for key in keys if key])


def _heap(content: ExperimentContent, figures: Figures) -> Html:
    return figures.add(
        memory_chart(content.drawn, "live", _HEAP_HEIGHT),
        _HEAP,
        otherwise=_no_heap(content),
        plain=lambda: memory_lines(content.drawn, "live", _HEAP, _HEAP_HEIGHT + 60),
        above=_names(content.drawn, "live"),
        legend=_kinds(content.drawn, "live"),
    )


def _phases(content: ExperimentContent, figures: Figures) -> Html:
    drawn = figures.add(
        phases_chart(content.series),
        _TIMES,
        otherwise="Nothing has been timed.",
        plain=lambda: phase_times(content.series, _TIMES),
        above=series_legend(
            content.series, [each for each in content.series if each.phase_times], lines=False
        ),
    )
    return joined([element("h3", text("Time of each phase")), drawn])


def _no_heap(content: ExperimentContent) -> str:
    reasons = dict.fromkeys(each.judgement.heap_off for each in content.series if each.judgement.heap_off)
    if not any(each.points for each in content.series):
        return ""
    return f"No heap channel: {', '.join(filter(None, reasons)) or 'the worker did not tell'}."


def _compositions(content: ExperimentContent, figures: Figures) -> Html:
    top = highest(content.series)
    drawn = [_composition(each, top, figures) for each in content.series]
    if not any(drawn):
        return Html("")
    parts = {part for each in content.series for part in parts_of(each.points)}
    keys = legend([Key(part, color, "box") for part, color in PARTS_COLORS.items() if part in parts])
    title = element("h3", text("What the memory is made of"))
    return joined([title, keys, element("div", joined(drawn), class_="pair"), _growth_table(content)])


def _composition(series: SeriesContent, top: float, figures: Figures) -> Html:
    said = f"{series.name}: what its memory is made of"
    return figures.add(
        composition_chart(series, top), said, plain=lambda: memory_parts(series, top, said), width=HALF
    )


def _growth_table(content: ExperimentContent) -> Html:
    rows = [
        [
            text(each.name),
            *(text(significant(getattr(each.judgement.composition, part))) for part in PARTS),
            *(text(verdicts.count(getattr(each.judgement, what))) for what in _COUNTS),
        ]
        for each in content.series
        if each.judgement.iterations
    ]
    headings = ["Growth after the warm-up (MB/iter)", *PARTS.values(), *_COUNTS]
    return table(headings, rows, "numbers")


def _timelines(content: ExperimentContent, figures: Figures) -> Html:
    domain = common_domain(content.series)
    every = content.experiment.sample_interval_ms
    drawn = [_timeline(each, domain, every, figures) for each in content.series]
    title = element("h3", text("Time series"))
    if not any(drawn):
        return joined([title, element("p", text("The run has no time series."), class_="absent")])
    phases = {bucket.phase for each in content.series for bucket in each.timeline}
    keys = legend([Key(phase, color, "box") for phase, color in PHASES.items() if phase in phases])
    return joined([title, keys, *drawn])


def _timeline(series: SeriesContent, domain: Sequence[float], every: int, figures: Figures) -> Html:
    said = (
        f"{series.name}: RSS every {every} ms, from the lowest to the highest reading of each stretch, coloured by "
        "phase; an upright line begins a further process (generation)."
    )
    return figures.add(
        timeline_chart(series, domain),
        said,
        plain=lambda: time_series(series, domain, said),
        pointing="Drag and scroll to look closer.",
    )

"""One experiment's section: chart, verdicts, and folded what they rest on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.notebook.marks import Mark, count_mark, mark_of
from orchestrator.notebook.rates import significant
from orchestrator.report import judged_words as words
from orchestrator.report.cells import number
from orchestrator.report.headers import experiment_header
from orchestrator.report.html import verdicts
from orchestrator.report.html.content import ExperimentContent, SeriesContent
from orchestrator.report.html.experiment_charts import further_charts, main_chart
from orchestrator.report.html.figures import Figures
from orchestrator.report.html.markup import Html, bullets, element, folded, joined, table, text
from orchestrator.report.judged_words import leaking_counts
from orchestrator.report.layout import Line
from orchestrator.report.lever_lines import early_end, lever_sentences
from orchestrator.report.summaries import NOT_RUN, SeriesSummary
from orchestrator.report.tables import as_text, experiment_tables
from orchestrator.report.warm_lines import warm_sentences
from orchestrator.stderr_lines import library_first


def badge(mark: Mark) -> Html:
    """Return a verdict as a coloured word with its sign."""
    return element("span", text(f"{mark.sign} {mark.word}"), class_=f"badge {mark.color}")


def verdict_part(content: ExperimentContent) -> Html:
    """Return the verdicts of one experiment in words: one entry a method, reasons below it."""
    return element(
        "ul",
        joined(
            [
                _verdict(each, content.summaries.get(each.key, NOT_RUN), _warm(content, each))
                for each in content.series
            ]
        ),
        class_="verdicts",
    )


def _warm(content: ExperimentContent, series: SeriesContent) -> list[str]:
    """Return what a series' memory counts and saves, where its processes were forked with their model loaded."""
    own = next((each for each in content.experiment.series if each.key == series.key), None)
    if own is None:
        return []
    said = warm_sentences(content.experiment, own, content.summaries)
    return [f"{series.name}{each}" for each in said]


def experiment_part(content: ExperimentContent, profile: str, figures: Figures) -> Html:
    """Return the section of one experiment; its charts are added to ``figures``."""
    experiment = content.experiment
    tables = experiment_tables(experiment, content.summaries)
    parts = [
        element("h2", text(content.title)),
        main_chart(content, figures),
        verdict_part(content),
        further_charts(content, figures),
        folded("Rates and distance from fresh processes", joined([_rates(content), _against_fresh(content)])),
        folded("Tables", _lines([*experiment_header(experiment, profile), Line(""), *tables])),
        folded("Judgements in full (JSON)", _judgements(content)),
    ]
    return element("section", joined(parts), id_=f"experiment-{experiment.name}")


def _verdict(series: SeriesContent, summary: SeriesSummary, warm: Sequence[str] = ()) -> Html:
    judgement = series.judgement
    meaning = element("strong", text(f"{words.meaning(series.name, judgement)}."))
    told = [line for line in words.long(judgement) if line != f"because: {judgement.sentence}"]
    levers = list(filter(None, (early_end(summary), *lever_sentences(summary), *warm)))
    cure = [f"What to do: {series.how_to_get_it}"] if series.how_to_get_it else []
    growth = joined([meaning, text(words.growth_sentence(judgement))], " ")
    reasons = [*told, *levers]
    parts = [growth, bullets(cure), folded("Why", bullets(reasons)) if reasons else Html("")]
    if stderr_tail := series.stderr_tail.strip():
        printed = element("pre", text(library_first(stderr_tail)))
        parts.append(folded("Last output of the worker", printed, open_=True))
    badges = element(
        "div", joined([badge(mark_of(judgement.verdict)), *_count_badges(judgement)]), class_="badges"
    )
    return element("li", joined([badges, element("div", joined(parts))]))


def _count_badges(judgement: Judgement) -> list[Html]:
    """Return a badge for descriptors and for threads that leak: the verdict beside it is about memory."""
    return [badge(count_mark(name)) for name in leaking_counts(judgement)]


def _rates(content: ExperimentContent) -> Html:
    headings = [
        "Method",
        "Verdict",
        "Iterations",
        "Initial (MB)",
        "Final (MB)",
        "RSS MB/iter (95 %)",
        "Heap MB/iter (95 %)",
        "Warm-up",
        "Tolerance",
    ]
    rows: list[list[Html]] = []
    for each in content.series:
        judgement = each.judgement
        summary = content.summaries.get(each.key, NOT_RUN)
        rows.append(
            [
                text(each.name),
                badge(mark_of(judgement.verdict)),
                text(_iterations(judgement.iterations, summary)),
                text(number(summary.initial_memory_mb)),
                text(number(summary.final_memory_mb)),
                _interval(verdicts.rss_rate(judgement)),
                _interval(verdicts.heap_rate(judgement)),
                text(judgement.warm_up if judgement.iterations else None),
                text(significant(judgement.tolerance)),
            ]
        )
    return table(headings, rows, "numbers rates")


def _against_fresh(content: ExperimentContent) -> Html:
    """Return the methods against the baseline, each at its own boundary; nothing without a baseline."""
    rows: list[list[Html]] = []
    for each in content.series:
        held = each.judgement.against_baseline
        if held is None:
            continue
        rows.append(
            [
                text(each.name),
                text(held.boundary.replace("_", " ")),
                _interval(verdicts.beyond_rate(held, "rss")),
                _interval(verdicts.beyond_rate(held, "live")),
                _interval(verdicts.above_fresh(held)),
            ]
        )
    headings = [
        "Against fresh processes",
        "Read",
        "RSS beyond (MB/iter, 95\N{NO-BREAK SPACE}%)",
        "Heap beyond (MB/iter, 95\N{NO-BREAK SPACE}%)",
        "RSS above one at the end (MB, 95\N{NO-BREAK SPACE}%)",
    ]
    return table(headings, rows, "numbers") if rows else Html("")


def _interval(rate: str) -> Html:
    """Return a rate whose interval goes to the next line as a whole where a column is narrow."""
    value, between, interval = rate.partition(" (")
    if " to " not in interval:
        return text(rate)
    return joined(
        [text(value), element("span", text(f"{between.strip()}{interval}"), class_="interval")], " "
    )


def _iterations(judged: int, summary: SeriesSummary) -> str:
    """Return how many were judged, and of how many planned where the method ended early."""
    return f"{judged} of {summary.iterations_planned}" if early_end(summary) else str(judged)


def _lines(lines: Sequence[Line]) -> Html:
    return element("pre", text(as_text(list(lines))), class_="tables")


def _judgements(content: ExperimentContent) -> Html:
    all_of_them = {each.key: each.judgement for each in content.series}
    return element("pre", text(msgspec.json.format(msgspec.json.encode(all_of_them)).decode()))

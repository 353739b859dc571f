"""A short summary in Markdown for a pull request: one table of verdicts an experiment. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.report.cells import number, verdict_words
from orchestrator.report.html import verdicts
from orchestrator.report.html.calibration_part import calibration_sentences
from orchestrator.report.html.content import ExperimentContent, ReportContent, SeriesContent
from orchestrator.report.html.located_part import MOST_ANSWERS, located_line
from orchestrator.report.judged_words import count_lines
from orchestrator.report.lever_lines import early_end, lever_sentences
from orchestrator.report.plan_lines import plan_headline, plan_sentence
from orchestrator.report.summaries import NOT_RUN

_SPECIAL = re.compile(r"([\\`*_\[\]#|~<>&])")
_HEADINGS = (
    "Method",
    "Verdict",
    "RSS MB/iter (95 %)",
    "Heap MB/iter (95 %)",
    "RSS beyond fresh processes (95 %)",
    "Final MB",
    "Why",
)


def markdown_summary(content: ReportContent) -> str:
    """Return the summary of a run, ending in a newline."""
    parts = [
        "## Memory verdicts",
        "",
        *(f"- {_escaped(line)}" for line in verdicts.headlines(content.experiments)),
        "",
    ]
    if content.located:
        lines = [f"- {_escaped(located_line(each.located))}" for each in content.located[:MOST_ANSWERS]]
        parts += ["### Where it leaks", "", *lines, ""]
    if content.plan is not None and content.plan.models:
        plans = [f"- {_escaped(plan_sentence(plan))}" for plan in content.plan.models]
        parts += ["### What to do", "", f"{plan_headline(content.plan)}:", "", *plans, ""]
    for each in content.experiments:
        parts += [f"### {_escaped(each.title)}", "", *_table(each), "", *_levers(each)]
    parts += [*(_escaped(line) for line in calibration_sentences(content.calibration)), ""]
    parts.append(
        f"Run `{content.run_id}`, profile {_escaped(content.profile)}, orchestrator "
        f"{_escaped(content.tool_version)}. Rates after the warm-up, MB = 1024² bytes."
    )
    return "\n".join(parts) + "\n"


def _levers(content: ExperimentContent) -> list[str]:
    """Return a list of what ended early and what the levers have shown, a blank line below it."""
    said = [
        f"- {_escaped(f'{each.name}: {sentence}')}"
        for each in content.series
        for sentence in (
            early_end(content.summaries.get(each.key, NOT_RUN)),
            *lever_sentences(content.summaries.get(each.key, NOT_RUN)),
        )
        if sentence
    ]
    return [*said, ""] if said else []


def _table(content: ExperimentContent) -> list[str]:
    rows = [_row(each, content) for each in content.series]
    return [
        _line(_HEADINGS),
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
        *(_line(row) for row in rows),
    ]


def _row(series: SeriesContent, content: ExperimentContent) -> Sequence[str]:
    judgement = series.judgement
    summary = content.summaries.get(series.key, NOT_RUN)
    return (
        _escaped(series.name),
        f"**{verdict_words(judgement.verdict)}**",
        _escaped(verdicts.rss_rate(judgement)),
        _escaped(verdicts.heap_rate(judgement)),
        _escaped(verdicts.beyond_rate(judgement.against_baseline, "rss")),
        number(summary.final_memory_mb),
        _escaped("; ".join([*judgement.reasons[:2], *count_lines(judgement)])),
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Return ``text`` on one line as Markdown shows it literally."""
    words = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return words.replace("@", "&#64;")  # a variant's name must not call a person of that name

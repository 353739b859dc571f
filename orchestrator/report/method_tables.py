"""Tables with one column per method: exp1's averages, exp2's and exp4's comparison, overall memory. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.config.types import Experiment
from orchestrator.report import remarks
from orchestrator.report.cells import (
    Cell,
    above_fresh,
    amount,
    beyond_baseline,
    iterations,
    leak_rate,
    outcome,
    speed,
    verdict,
)
from orchestrator.report.layout import BLANK, RULE, Line, Row, table, title_block
from orchestrator.report.lever_lines import early_end, early_end_lines, iterations_title, lever_lines
from orchestrator.report.names import method_name
from orchestrator.report.shape import Shape, columns_of, pairs_of, shape_of
from orchestrator.report.summaries import NOT_RUN, SeriesSummary
from orchestrator.report.verdict_lines import verdict_lines
from orchestrator.report.warm_lines import warm_lines

Summaries = Mapping[str, SeriesSummary]
NamedCells = Sequence[tuple[str, Cell] | None]
"""Rows of a table; None is a rule."""

LEAK_RATE = "Leak rate (MB/iter, 95 %)"
BEYOND = "Beyond baseline (MB/iter)"
ABOVE = "Above a fresh process (MB)"
VERDICT = "Verdict"

_MEMORY: NamedCells = (
    ("Initial Memory (MB)", amount("initial_memory_mb")),
    ("Final Memory (MB)", amount("final_memory_mb")),
    ("Memory Growth (MB)", amount("memory_growth_mb")),
    ("Growth Rate (MB/iter)", amount("growth_rate_mb_per_iteration")),
)
_SPEED: NamedCells = (("Avg TTFT (ms)", amount("avg_ttft_ms")), ("Avg Speed (chars/sec)", speed))
_LEAK: NamedCells = (
    (LEAK_RATE, leak_rate),
    (BEYOND, beyond_baseline),
    (ABOVE, above_fresh),
    (VERDICT, verdict),
)
_AGAINST_BASELINE = frozenset({BEYOND, ABOVE})
"""Rows of experiments that have a baseline and something to hold against it."""
_LEAK_AND_PEAK: NamedCells = (
    *_LEAK,
    ("Peak Memory (MB)", amount("max_peak_mb")),
)

_WARM: NamedCells = (
    ("Avg Start and Load (ms)", amount("ready_ms")),
    ("Template Memory (MB)", amount("template_mb")),
    None,
)
"""Rows of experiments that measure the method warm too."""

_COMPARISON: NamedCells = (
    *_MEMORY,
    *_SPEED,
    ("Final WER (%)", amount("final_wer_percent")),
    None,
    *_LEAK_AND_PEAK,
    ("Final CER (%)", amount("final_cer_percent")),
)
_ALIGNMENT: NamedCells = (*_MEMORY, None, *_SPEED, None, *_LEAK_AND_PEAK)
_BENCHMARK: NamedCells = (
    *_SPEED,
    ("Avg Memory RSS (MB, peak)", amount("avg_peak_mb")),
    ("Avg WER (%)", amount("avg_wer_percent")),
    None,
    ("Avg CER (%)", amount("avg_cer_percent")),
    ("Max Memory RSS (MB, peak)", amount("max_peak_mb")),
    ("Growth Rate (MB/iter)", amount("growth_rate_mb_per_iteration")),
    *_LEAK,
)
_OVERALL: NamedCells = (
    ("Initial Memory (MB)", amount("initial_memory_mb")),
    ("Final Memory (MB)", amount("final_memory_mb")),
    ("Total Growth (MB)", amount("memory_growth_mb")),
    ("Growth Rate (MB/iter)", amount("growth_rate_mb_per_iteration")),
    None,
    *_LEAK_AND_PEAK,
)


def method_table(
    experiment: Experiment, summaries: Summaries, width: int | None = None, *, details: bool = True
) -> list[Line]:
    """Return the table of an experiment with one model, footnotes and endings below it."""
    shape = shape_of(experiment)
    rows = {Shape.BENCHMARK: _BENCHMARK, Shape.ALIGNMENT: _ALIGNMENT}.get(shape, _COMPARISON)
    if all(step.task != "asr" for step in experiment.steps):
        rows = [row for row in rows if row is None or not _is_error_rate(row[0])]
    columns = [summaries.get(series.key, NOT_RUN) for series in columns_of(experiment)]
    names = [
        method_name(series, summary) for series, summary in zip(columns_of(experiment), columns, strict=True)
    ]
    return [
        *title_block(_title(shape, iterations_title(experiment, summaries)), width),
        BLANK,
        *_by_method(experiment, summaries, rows, width),
        *remarks.text_at_once(zip(names, columns, strict=True)),
        *_footnotes(experiment, summaries, details=details),
    ]


def overall_memory(
    experiment: Experiment, summaries: Summaries, width: int | None = None, *, details: bool = True
) -> list[Line]:
    """Return the memory of an experiment with several models, from before the first load to the end."""
    return [
        *title_block("Overall Memory", width),
        *_by_method(experiment, summaries, _OVERALL, width),
        *remarks.baseline_growth(experiment),
        *_footnotes(experiment, summaries, details=details),
    ]


def _is_error_rate(name: str) -> bool:
    return "WER" in name or "CER" in name


def _title(shape: Shape, iterations: str) -> str:
    if shape is Shape.ALIGNMENT:
        return "Comparison Results Summary"
    name = "Comparison Results" if shape is Shape.COMPARISON else "Summary"
    return f"{name} ({iterations})"


def _by_method(
    experiment: Experiment, summaries: Summaries, rows: NamedCells, width: int | None
) -> list[Line]:
    shown = [(series, summaries.get(series.key, NOT_RUN)) for series in columns_of(experiment)]
    unfinished = any(summary.outcome != "completed" for _, summary in shown)
    rows = [*_WARM, *rows] if any(series.method == "warm" for series, _ in shown) else rows
    wanted = [("Outcome", outcome), *rows] if unfinished else rows
    if any(early_end(summary) for _, summary in shown):
        wanted = [("Iterations", iterations), *wanted]
    if all(baseline is None for _, baseline in pairs_of(experiment)):
        wanted = [row for row in wanted if row is None or row[0] not in _AGAINST_BASELINE]
    cells = [RULE if row is None else Row(row[0], tuple(row[1](each) for _, each in shown)) for row in wanted]
    return table("Metric", [method_name(series, summary) for series, summary in shown], cells, width)


def _footnotes(experiment: Experiment, summaries: Summaries, *, details: bool) -> list[Line]:
    columns = columns_of(experiment)
    return [
        *remarks.sampled_peak(summaries.values()),
        *remarks.missing_rates(experiment, summaries),
        *remarks.baseline_boundary(experiment, summaries),
        *warm_lines(experiment, summaries),
        *(early_end_lines(experiment, summaries) if details else ()),
        *verdict_lines(experiment, summaries, details=details),
        *lever_lines(experiment, summaries, details=details),
        *remarks.endings(columns, summaries),
    ]

"""Tables with one column per model and its baseline beside it: exp3's switching, exp5's chain. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.config.types import Experiment, Series
from orchestrator.report import remarks
from orchestrator.report.cells import NOT_APPLICABLE, Cell, amount, net_change, speed
from orchestrator.report.layout import BLANK, RULE, Line, Row, table, title_block
from orchestrator.report.lever_lines import iterations_title
from orchestrator.report.names import BASELINE, method_name, model_names
from orchestrator.report.shape import Shape, pairs_of, shape_of
from orchestrator.report.summaries import NOT_RUN, ModelSummary, SeriesSummary

Summaries = Mapping[str, SeriesSummary]


def _wer(numbers: ModelSummary) -> str:
    return _error_rate(numbers, "avg_wer_percent")


def _cer(numbers: ModelSummary) -> str:
    return _error_rate(numbers, "avg_cer_percent")


def _error_rate(numbers: ModelSummary, key: str) -> str:
    """An aligner is given the text: there is nothing to get wrong."""
    return NOT_APPLICABLE if numbers.tasks == ["align"] else amount(key)(numbers)


_NOTHING = ModelSummary()

_SWITCH: Sequence[tuple[str, Cell] | None] = (
    ("Avg Load Overhead (MB)", amount("avg_load_overhead_mb")),
    ("Avg Unload Release (MB)", amount("avg_unload_release_mb")),
    ("Avg Net Leak per Switch (MB)", amount("avg_net_leak_per_switch_mb")),
    None,
    ("Avg TTFT (ms)", amount("avg_ttft_ms")),
    ("Avg Speed (chars/sec)", speed),
    ("Avg WER (%)", _wer),
    None,
    ("Avg CER (%)", _cer),
)
_CHAIN: Sequence[tuple[str, Cell] | None] = (
    ("Avg TTFT (ms)", amount("avg_ttft_ms")),
    ("Avg WER (%)", _wer),
    None,
    ("Avg CER (%)", _cer),
    ("Avg Speed (chars/sec)", speed),
)
_OWN: Sequence[tuple[str, Cell] | None] = (("Net change (MB/iter, 95 %)", net_change),)
"""Our own row, below the tables of the original study."""
_PHASE: Sequence[tuple[str, Cell]] = (
    ("Load Overhead", amount("avg_load_overhead_mb")),
    ("Net Overhead", amount("avg_net_overhead_mb")),
)


def model_tables(experiment: Experiment, summaries: Summaries, width: int | None = None) -> list[Line]:
    """Return the tables of an experiment with several models, once for each in-process method."""
    lines = title_block(f"Summary ({iterations_title(experiment, summaries)})", width)
    for series, baseline in pairs_of(experiment):
        sides = [_models(experiment, summaries, each) for each in (series, baseline) if each is not None]
        lines += [BLANK, Line(_caption(series, baseline, summaries), "note")]
        if shape_of(experiment) is Shape.CHAIN:
            lines += [*_phases(experiment, sides, width), BLANK, *_metrics(experiment, sides, _CHAIN, width)]
        else:
            lines += _metrics(experiment, sides, _SWITCH, width)
        if any(numbers.net_change for side in sides for numbers in side.values()):
            lines += [BLANK, *_metrics(experiment, sides, _OWN, width)]
        names = model_names(experiment)
        lines += remarks.text_at_once((names[role], each) for side in sides for role, each in side.items())
    return lines


def _caption(series: Series, baseline: Series | None, summaries: Summaries) -> str:
    beside = (
        f"; beside it {BASELINE}: {method_name(baseline).removesuffix(f' {BASELINE}')}" if baseline else ""
    )
    return f"Method: {method_name(series, summaries.get(series.key))}{beside}"


def _models(experiment: Experiment, summaries: Summaries, series: Series) -> dict[str, ModelSummary]:
    """Return the numbers of the series' models by role; none where it never ran."""
    models = summaries.get(series.key, NOT_RUN).models
    return {role: models.get(role, _NOTHING) for role in model_names(experiment)}


def _metrics(
    experiment: Experiment,
    sides: Sequence[Mapping[str, ModelSummary]],
    rows: Sequence[tuple[str, Cell] | None],
    width: int | None,
) -> list[Line]:
    columns = [
        (name if index == 0 else BASELINE, side[role])
        for role, name in model_names(experiment).items()
        for index, side in enumerate(sides)
    ]
    cells = [RULE if row is None else Row(row[0], tuple(row[1](each) for _, each in columns)) for row in rows]
    return table("Metric", [name for name, _ in columns], cells, width)


def _phases(
    experiment: Experiment, sides: Sequence[Mapping[str, ModelSummary]], width: int | None
) -> list[Line]:
    columns = [name if i == 0 else BASELINE for name, _ in _PHASE for i in range(len(sides))]
    rows = [
        Row(name, tuple(cell(side[role]) for _, cell in _PHASE for side in sides))
        for role, name in model_names(experiment).items()
    ]
    return table("Phase", columns, rows, width)

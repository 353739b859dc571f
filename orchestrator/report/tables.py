"""All the tables of one experiment, as its shape asks for. Pure: summaries in, lines out."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.config.types import Experiment
from orchestrator.report.layout import BLANK, Line
from orchestrator.report.method_tables import method_table, overall_memory
from orchestrator.report.model_tables import model_tables
from orchestrator.report.shape import shape_of
from orchestrator.report.summaries import SeriesSummary


def experiment_tables(
    experiment: Experiment,
    summaries: Mapping[str, SeriesSummary],
    width: int | None = None,
    *,
    details: bool = True,
) -> list[Line]:
    """Return the tables of ``experiment`` in the original study's look, with the baseline's column.

    Args:
        experiment: What was run; its shape decides which tables there are.
        summaries: By series key. A series without a summary did not run.
        width: Cells of the terminal; None sets no limit (for files and pipes).
        details: Also what stands behind each verdict: reasons, parts, what the levers have shown, early ends.
    """
    if not shape_of(experiment).several_models:
        return method_table(experiment, summaries, width, details=details)
    return [
        *model_tables(experiment, summaries, width),
        BLANK,
        *overall_memory(experiment, summaries, width, details=details),
    ]


def as_text(lines: list[Line]) -> str:
    """Return the lines as plain text without spaces at line ends."""
    return "\n".join(line.text.rstrip() for line in lines)

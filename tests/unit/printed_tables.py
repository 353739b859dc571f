"""The tables of series with known numbers, as the terminal shows them."""

from __future__ import annotations

from record_builders import iteration, records, step_record, summarized_all

from orchestrator.config.types import Experiment
from orchestrator.experiments.storage.records import SeriesRecords
from orchestrator.report.tables import as_text, experiment_tables

AT_ONCE = {"chunks": 1, "speed_chars_per_s": None}


def printed(about: Experiment, *series: SeriesRecords, width: int | None = None) -> str:
    return as_text(experiment_tables(about, summarized_all(about, series), width))


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(name))


def one_iteration(about: Experiment, series: str) -> SeriesRecords:
    """Two models, one iteration, known numbers."""
    first, second = about.steps
    aligned = second.task == "align"
    done = (
        step_record(
            first,
            (800, 1500, 1500, 850),
            ttft_ms=4000.0,
            speed_chars_per_s=15.0,
            wer_percent=0.0,
            cer_percent=0.0,
        ),
        step_record(
            second,
            (850, 2500, 2500, 900),
            ttft_ms=5000.0,
            speed_chars_per_s=18.0,
            wer_percent=None if aligned else 2.5,
        ),
    )
    return records(series, [iteration(1, *done, memory_mb=900.0, series=series)])

"""The numbers of one model in a series: what loading costs, what unloading gives back, how well it works.

Pure. All are means over the step records in which both parts are known, None where there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orchestrator.config.model import BoundModel
from orchestrator.experiments.judging.readings import MB
from orchestrator.experiments.storage.records import Boundary, StepRecord
from orchestrator.report.summaries import ModelSummary


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are known; None when none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def summarize_model(model: BoundModel, steps: Sequence[StepRecord]) -> ModelSummary:
    """Return the numbers of ``model`` over its ``steps`` of all iterations."""
    net = _mean_change(steps, "before_load", "after_unload")
    return ModelSummary(
        label=model.label,
        engine=model.engine,
        tasks=list(dict.fromkeys(step.task for step in steps)),
        avg_load_overhead_mb=_mean_change(steps, "before_load", "after_load"),
        avg_unload_release_mb=_mean_change(steps, "after_unload", "after_infer"),
        avg_net_leak_per_switch_mb=net,
        avg_net_overhead_mb=net,
        **speech_numbers(steps),
        **phase_means(steps),
    )


def speech_numbers(steps: Sequence[StepRecord]) -> dict[str, Any]:
    """Return TTFT, speed, real-time factor, WER and CER: means, and the last known error rates.

    ``text_at_once`` is True when the engine handed over all its text in one piece, every time: then there
    is no speed, and TTFT is the whole time.
    """
    counts = [step.chunks for step in steps if step.chunks]
    return {
        "avg_ttft_ms": mean(step.ttft_ms for step in steps),
        "avg_speed_chars_per_s": mean(step.speed_chars_per_s for step in steps),
        "text_at_once": all(count == 1 for count in counts) if counts else None,
        "avg_rtf": mean(step.rtf for step in steps),
        "final_wer_percent": _last(steps, lambda step: step.wer_percent),
        "avg_wer_percent": mean(step.wer_percent for step in steps),
        "final_cer_percent": _last(steps, lambda step: step.cer_percent),
        "avg_cer_percent": mean(step.cer_percent for step in steps),
    }


def phase_means(steps: Sequence[StepRecord]) -> dict[str, Any]:
    """Return the mean seconds of every phase, over the steps in which it happened."""
    return {
        "avg_spawn_s": mean(step.phases.spawn_s for step in steps),
        "avg_load_s": mean(step.phases.load_s for step in steps),
        "avg_infer_s": mean(step.phases.infer_s for step in steps),
        "avg_unload_s": mean(step.phases.unload_s for step in steps),
        "avg_exit_s": mean(step.phases.exit_s for step in steps),
    }


def _mean_change(steps: Sequence[StepRecord], start: Boundary, end: Boundary) -> float | None:
    """Return the mean RSS at ``end`` minus that at ``start``, in MB."""
    both = [step.readings for step in steps if start in step.readings and end in step.readings]
    change = mean(readings[end].rss - readings[start].rss for readings in both)
    return None if change is None else change / MB


def _last(steps: Sequence[StepRecord], pick: Callable[[StepRecord], float | None]) -> float | None:
    known = [value for step in steps if (value := pick(step)) is not None]
    return known[-1] if known else None

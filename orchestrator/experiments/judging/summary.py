"""The numbers of a series, computed from its records: every row of the original study's tables, and ours.

Pure. Megabytes are 1024² bytes, keys carry their units, and what is not known is None: never 0, never huge.
Speech metrics of an experiment with several models are only given per model, under ``models``, because a mean
over two models says nothing about either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import Experiment, Step
from orchestrator.experiments.judging.judgement import Judgements, series_method
from orchestrator.experiments.judging.levers import levers
from orchestrator.experiments.judging.model_summary import mean, phase_means, speech_numbers, summarize_model
from orchestrator.experiments.judging.net_changes import net_changes
from orchestrator.experiments.judging.readings import FRESH_METHODS, MB, boundary_readings
from orchestrator.experiments.storage.records import (
    IterationRecord,
    Reading,
    SeriesRecords,
    StepRecord,
    TemplateRecord,
)
from orchestrator.report.lever_summaries import NO_LEVERS
from orchestrator.report.summaries import ModelSummary, SeriesSummary, TemplateSummary


def summarize(judgements: Judgements, key: str) -> SeriesSummary:
    """Return the summary of one series; without its levers, for which it takes other series.

    *Initial* is iteration 1's memory, or what was there before the first load if an in-process method has several
    models (the baseline starts every iteration there, so it is compared with itself after unload); *Final* is the
    last iteration's.
    """
    experiment, records = judgements.experiment, judgements.records[key]
    series = next((each for each in experiment.series if each.key == key), None)
    method = series_method(experiment, key)
    iterations = sorted(records.iterations, key=lambda record: record.iteration)
    steps = [step for record in iterations for step in record.steps]
    judged = judgements.of(key)
    models = {step.model.name: step for step in experiment.steps}
    return SeriesSummary(
        method=method,
        variant=series.variant if series else None,
        **_outcome(experiment, records),
        reset=_reset(records, steps),
        **_memory(iterations, from_before_load=len(models) > 1 and method not in FRESH_METHODS),
        judgement=judged,
        leak_rate=judgements.leak_rate(key),
        leak_rate_after_infer=judgements.leak_rate(key, "after_infer"),
        leak_rate_after_unload=judgements.leak_rate(key, "after_unload"),
        **_peaks(iterations),
        **speech_numbers([] if len(models) > 1 else steps),
        **phase_means(steps),
        **_first_and_last(boundary_readings(iterations, judgements.boundary(key))),
        **_trim(records),
        **_models(method, judged, iterations, models),
        templates=_templates(steps + (records.end.partial if records.end else [])),
    )


def _templates(steps: Sequence[StepRecord]) -> dict[str, TemplateSummary]:
    found: dict[str, list[TemplateRecord]] = {}
    for step in steps:
        if step.template is not None:
            found.setdefault(step.model, []).append(step.template)
    return {
        role: TemplateSummary(
            started=len(each),
            memory_mb=sum(one.memory.rss for one in each) / len(each) / MB,
            load_s=sum(one.load_s for one in each) / len(each),
            start_s=sum(one.start_s for one in each) / len(each),
        )
        for role, each in found.items()
    }


def _models(
    method: str,
    judged: Judgement,
    iterations: Sequence[IterationRecord],
    models: Mapping[str, Step],
) -> dict[str, Any]:
    """Return each model's numbers, with its own net change, and how those add up to the whole growth."""
    steps = [step for record in iterations for step in record.steps]
    loads_anew = method == "recreate"
    labels = {role: step.model.label for role, step in models.items()}
    found = (
        net_changes(iterations, labels, warm_up=judged.warm_up, tolerance_mb=judged.tolerance)
        if loads_anew
        else []
    )
    changes = {
        role: {one.channel: one.models[role] for one in found if role in one.models} for role in models
    }
    return {
        "models": {
            role: msgspec.structs.replace(_of_model(step, steps), net_change=changes[role])
            for role, step in models.items()
        },
        "net_changes": found or None,
    }


def _of_model(step: Step, steps: Sequence[StepRecord]) -> ModelSummary:
    return summarize_model(step.model, [record for record in steps if record.model == step.model.name])


def _outcome(experiment: Experiment, records: SeriesRecords) -> dict[str, Any]:
    """Say how the series ended; one without an end was cut off."""
    end, count = records.end, len(records.iterations)
    unfinished = end is not None and end.outcome != "completed"
    return {
        "outcome": end.outcome if end else "interrupted",
        "sentence": end.sentence if end else f"interrupted after {count} iterations",
        "not_possible": end.not_possible if end else False,
        "how_to_get_it": end.how_to_get_it or None if end else None,
        "stderr_tail": end.stderr_tail or None if end and unfinished else None,
        "unclean_exits": list(end.unclean_exits) if end else [],
        "restarts": list(records.restarts),
        "abandoned": dict(records.abandoned),
        "iterations": count,
        "iterations_planned": experiment.iterations,
        "iterations_saved": end.saved if end and end.settled else None,
        "stopped": "settled" if end and end.settled else None,
        "settled_as": end.settled if end else None,
        "elapsed_s": end.elapsed_s if end else None,
        "missed_samples": end.missed_samples if end else None,
    }


def _reset(records: SeriesRecords, steps: Sequence[StepRecord]) -> Literal["restart", "none"] | None:
    """``none`` when the engine has no restart, ``restart`` when it has, None where nobody asked."""
    unfinished = records.end.partial if records.end else []
    said = {step.reset for step in (*steps, *unfinished)}
    return "none" if "none" in said else "restart" if "restart" in said else None


def _memory(iterations: Sequence[IterationRecord], *, from_before_load: bool) -> dict[str, Any]:
    initial = final = None
    if iterations:
        final = iterations[-1].memory
        if iterations[0].iteration == 1:
            initial = _before_first_load(iterations[0]) if from_before_load else iterations[0].memory
    growth = final - initial if final is not None and initial is not None else None
    return {
        "initial_memory_mb": _mb(initial),
        "final_memory_mb": _mb(final),
        "memory_growth_mb": _mb(growth),
        "growth_rate_mb_per_iteration": None if growth is None else growth / MB / len(iterations),
    }


def _before_first_load(first: IterationRecord) -> int | None:
    reading = first.steps[0].readings.get("before_load") if first.steps else None
    return reading.rss if reading else None


def _peaks(iterations: Sequence[IterationRecord]) -> dict[str, Any]:
    peaks = [record.peak for record in iterations]
    trees = [record.tree_peak for record in iterations]
    sources = {record.peak_source for record in iterations}
    return {
        "avg_peak_mb": _mb(mean(peaks)),
        "max_peak_mb": _mb(max(peaks, default=None)),
        "avg_tree_peak_mb": _mb(mean(trees)),
        "max_tree_peak_mb": _mb(max(trees, default=None)),
        "peak_source": "sampled" if "sampled" in sources else "VmHWM" if sources else None,
    }


_Pick = Callable[[Reading], int | None]
_FIRST_AND_LAST: dict[str, tuple[_Pick, float]] = {
    "threads": (lambda reading: reading.threads, 1),
    "descriptors": (lambda reading: reading.descriptors, 1),
    "heap_live_mb": (lambda reading: reading.heap_live, MB),
    "heap_held_mb": (lambda reading: reading.heap_held, MB),
}


def _first_and_last(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return ``first_…`` and ``last_…`` of what is counted at the method's own boundary."""
    ends = {"first": readings[0], "last": readings[-1]} if readings else {"first": None, "last": None}
    numbers: dict[str, Any] = {}
    for name, (pick, unit) in _FIRST_AND_LAST.items():
        for which, reading in ends.items():
            value = pick(reading) if reading else None
            numbers[f"{which}_{name}"] = value if value is None or unit == 1 else value / unit
    return {**numbers, "heap_off": readings[-1].heap_off if readings else None}


def _trim(records: SeriesRecords) -> dict[str, Any]:
    end = records.end
    before = end.before_trim.rss_anon if end and end.before_trim else None
    after = end.after_trim.rss_anon if end and end.after_trim else None
    released = before - after if end and end.trimmed and before is not None and after is not None else None
    return {"trimmed": end.trimmed if end else None, "trim_released_mb": _mb(released)}


def _mb(size_bytes: float | None) -> float | None:
    return None if size_bytes is None else size_bytes / MB


def summarize_all(judgements: Judgements) -> dict[str, SeriesSummary]:
    """Return the summaries by series key, in the experiment's order, then any others, with what the levers show."""
    records = judgements.records
    by_key = {key: summarize(judgements, key) for key in records}
    pulled = levers(judgements.experiment, records, by_key)
    return {
        key: msgspec.structs.replace(summary, levers=pulled.get(key, NO_LEVERS))
        for key, summary in by_key.items()
    }

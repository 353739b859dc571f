"""The numbers of a series, computed from its records: every row of the original study's tables, and ours.

Pure. Megabytes are 1024² bytes, keys carry their units, and what is not known is None: never 0, never huge.
Speech metrics of an experiment with several models are only given per model, under ``models``, because a mean
over two models says nothing about either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import Experiment, Step
from orchestrator.experiments.judging.judgement import baseline_of, judge_series, series_method
from orchestrator.experiments.judging.leak_rate import MB, boundary_readings, leak_rate, read_boundary
from orchestrator.experiments.judging.levers import levers
from orchestrator.experiments.judging.model_summary import mean, phase_means, speech_numbers, summarize_model
from orchestrator.experiments.judging.net_changes import net_changes, net_changes_part
from orchestrator.experiments.storage.records import IterationRecord, Reading, SeriesRecords, StepRecord


def summarize(
    experiment: Experiment, records: SeriesRecords, baseline: SeriesRecords | None = None
) -> dict[str, Any]:
    """Return the summary of one series of ``experiment``, ready for JSON.

    *Initial* is iteration 1's memory, or what was there before the first load where an in-process method has
    several models (the baseline starts every iteration there, so it is compared with itself after unload);
    *Final* is the last iteration's; the growth rate divides by the number of iterations that were run, as in
    the original study. ``stopped`` is ``settled`` where the series ended before those planned because its verdict was
    settled as ``settled_as``. The leak rate is a slope with a 95 % interval, see :mod:`.leak_rate`, and
    ``judgement`` says what it means, see :mod:`.judgement`. ``trim_released_mb`` is how much RssAnon fell by in
    the one heap trim after the last reading.
    """
    series = next((each for each in experiment.series if each.key == records.series), None)
    method = series_method(experiment, records.series)
    iterations = sorted(records.iterations, key=lambda record: record.iteration)
    steps = [step for record in iterations for step in record.steps]
    judged = judge_series(experiment, records, baseline=baseline)
    models = {step.model.role: step for step in experiment.steps}
    return {
        "method": method,
        "variant": series.variant if series else None,
        **_outcome(experiment, records),
        "reset": _reset(records, steps),
        **_memory(iterations, from_before_load=len(models) > 1 and method != "recycle"),
        "judgement": msgspec.to_builtins(judged),
        "leak_rate": leak_rate(method, iterations),
        "leak_rate_after_infer": leak_rate(method, iterations, "after_infer"),
        "leak_rate_after_unload": leak_rate(method, iterations, "after_unload"),
        **_peaks(iterations),
        **speech_numbers([] if len(models) > 1 else steps),
        **phase_means(steps),
        **_first_and_last(boundary_readings(iterations, read_boundary(method, iterations))),
        **_trim(records),
        **_models(method, judged, iterations, models),
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
    found = (
        net_changes(iterations, warm_up=judged.warm_up, tolerance_mb=judged.tolerance) if loads_anew else []
    )
    return {
        "models": {
            role: {
                **_of_model(step, steps),
                "net_change": {
                    one.channel: msgspec.to_builtins(one.models[role]) for one in found if role in one.models
                },
            }
            for role, step in models.items()
        },
        "net_changes": net_changes_part(found, {role: step.model.label for role, step in models.items()})
        or None,
    }


def _of_model(step: Step, steps: Sequence[StepRecord]) -> dict[str, Any]:
    return summarize_model(step.model, [record for record in steps if record.model == step.model.role])


def _outcome(experiment: Experiment, records: SeriesRecords) -> dict[str, Any]:
    """Say how the series ended; one without an end was cut off."""
    end, count = records.end, len(records.iterations)
    unfinished = end is not None and end.outcome != "completed"
    return {
        "outcome": end.outcome if end else "interrupted",
        "sentence": end.sentence if end else f"interrupted after {count} iterations",
        "remedy": end.remedy or None if end else None,
        "last_words": end.last_words or None if end and unfinished else None,
        "unclean_exits": list(end.unclean_exits) if end else [],
        "restarts": list(records.restarts),
        "iterations": count,
        "iterations_planned": experiment.iterations,
        "iterations_saved": end.saved if end and end.settled else None,
        "stopped": "settled" if end and end.settled else None,
        "settled_as": end.settled if end else None,
        "elapsed_s": end.elapsed_s if end else None,
        "missed_samples": end.missed_samples if end else None,
    }


def _reset(records: SeriesRecords, steps: Sequence[StepRecord]) -> str | None:
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
        "growth_rate_mb_per_iter": None if growth is None else growth / MB / len(iterations),
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


def summarize_all(experiment: Experiment, records: Iterable[SeriesRecords]) -> dict[str, dict[str, Any]]:
    """Return the summaries by series key, in the experiment's order, then any others.

    Only here is ``levers`` in them: it takes other series to know what a lever does, see :mod:`.levers`.
    """
    every = list(records)
    by_key = {
        each.series: summarize(experiment, each, baseline_of(experiment, each.series, every))
        for each in every
    }
    pulled = levers(experiment, {each.series: each for each in every}, by_key)
    for key, table in pulled.items():
        by_key[key]["levers"] = table
    known = [series.key for series in experiment.series if series.key in by_key]
    return {key: by_key[key] for key in (*known, *(key for key in by_key if key not in known))}

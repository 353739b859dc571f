"""``iterations`` of a result file: one flat entry per iteration, its steps inside.

Keys carry their units; MB are 1024² bytes. What the system did not tell is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from orchestrator.config.types import Experiment
from orchestrator.experiments.storage.records import (
    IterationRecord,
    Reading,
    SeriesRecords,
    StepRecord,
    TemplateRecord,
)
from orchestrator.process.memory import MB, Memory, file_key, file_value

_DIGITS = 4

_FIELDS = tuple(field for field in Reading.__struct_fields__ if field != "heap_off")


def iterations_part(experiment: Experiment, records: Sequence[SeriesRecords]) -> list[dict[str, Any]]:
    """Return one entry per iteration, series after series.

    TTFT, speed, error rates and text of an entry are those of its first ``asr`` step, or of its first step
    where there is none; an experiment with several models has each model's own under ``steps``. ``text_zh_tw`` and
    ``text_itn`` are there for Chinese only; the rates are those of ``text_itn`` then.
    """
    names = {series.key: (series.method, series.variant) for series in experiment.series}
    entries: list[dict[str, Any]] = []
    for each in records:
        method, variant = names.get(each.series) or _split(each.series)
        entries += [_entry(method, variant, record) for record in each.iterations]
    return entries


def rounded(value: Any, digits: int = _DIGITS) -> Any:
    """Return ``value`` with every float in it, however deep, rounded to ``digits`` after the point."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        table = cast("Mapping[object, object]", value)
        return {key: rounded(item, digits) for key, item in table.items()}
    if isinstance(value, list):
        return [rounded(item, digits) for item in cast("Sequence[object]", value)]
    return value


def _split(key: str) -> tuple[str, str | None]:
    method, _, variant = key.partition("@")
    return method, variant or None


def _entry(method: str, variant: str | None, record: IterationRecord) -> dict[str, Any]:
    speaking = next((step for step in record.steps if step.task == "asr"), None)
    speaking = speaking or (record.steps[0] if record.steps else None)
    entry: dict[str, Any] = {
        "method": method,
        **({"variant": variant} if variant else {}),
        "iteration": record.iteration,
        "life": record.life,
        "memory_mb": record.memory / MB,
        "peak_mb": record.peak / MB,
        "peak_source": record.peak_source,
        "tree_peak_mb": record.tree_peak / MB,
        **_speech(speaking),
        "started_at": record.started_at,
        "steps": [_step(step) for step in record.steps],
    }
    return cast("dict[str, Any]", rounded(entry))


def _speech(step: StepRecord | None) -> dict[str, Any]:
    return {
        "ttft_ms": step.ttft_ms if step else None,
        "speed_chars_per_s": step.speed_chars_per_s if step else None,
        "wer_percent": step.wer_percent if step else None,
        "cer_percent": step.cer_percent if step else None,
        "text": step.text if step else None,
        **({"text_zh_tw": step.text_zh_tw} if step and step.text_zh_tw is not None else {}),
        **({"text_itn": step.text_itn} if step and step.text_itn is not None else {}),
        **({"normalization": step.normalization} if step and step.normalization else {}),
    }


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "model": step.model,
        "label": step.label,
        "engine": step.engine,
        "task": step.task,
        "generation": step.generation,
        "start": step.start,
        "reset": step.reset,
        "jobs": step.jobs,
        **readings_part(step.readings),
        **msgspec.structs.asdict(step.phases),
        "chunks": step.chunks,
        **_speech(step),
        "rtf": step.rtf,
        "words": [msgspec.structs.asdict(word) for word in step.words],
        "skipped_words": list(step.skipped_words),
        "warnings": list(step.warnings),
        "facts": dict(step.facts),
        **({"template": _template(step.template)} if step.template is not None else {}),
    }


def _template(template: TemplateRecord) -> dict[str, Any]:
    memory = {
        file_key(field): file_value(field, getattr(template.memory, field))
        for field in Memory.__struct_fields__
    }
    return {"load_s": template.load_s, "start_s": template.start_s, **memory}


def readings_part(readings: Mapping[Any, Reading]) -> dict[str, Any]:
    """Return each channel by boundary, sizes in MB, and ``heap_off``: why there is no heap channel."""
    part: dict[str, Any] = {
        file_key(field): {
            boundary: file_value(field, getattr(reading, field)) for boundary, reading in readings.items()
        }
        for field in _FIELDS
    }
    part["heap_off"] = next((reading.heap_off for reading in readings.values() if reading.heap_off), None)
    return part

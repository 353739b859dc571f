"""``config`` of a result file: all that was set, so that a file explains itself without its run's folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Sample, Series, Step
from orchestrator.experiments.storage.manifest import Manifest
from orchestrator.experiments.storage.records import SampleFile, SeriesRecords

HOST_SUMMARY = (
    "platform",
    "cpu_model",
    "cores",
    "cgroup_cpus",
    "memory_total_bytes",
    "cgroup_memory_bytes",
    "swap_total_bytes",
    "libc",
    "python",
    "environment",
)
"""What of a host is told wherever results are handed on."""

_FOLDERS = re.compile(r"(?:^|(?<=[\s=:;,'\"(\[]))(?:~[\w.-]*)?/.*/", re.DOTALL)
"""From where a path begins to the last slash of a text: names of folders may have spaces, so nothing ends it sooner."""


def config_part(
    experiment: Experiment, records: Sequence[SeriesRecords], manifest: Manifest
) -> dict[str, Any]:
    """Return the configuration of ``experiment`` as it took effect, and of the run it belongs to.

    Paths of samples count from experiments.toml, models are told by file name and hash, and sentences have base names:
    a result file that is shared says nothing about anybody's folders. Variables of the environment stay as they are,
    because they decide which runs can be compared.
    """
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "methods": [series.key for series in experiment.series],
        "series": [_series(series) for series in experiment.series],
        "iterations": experiment.iterations,
        "recycle_after": experiment.recycle_after,
        "jobs_per_load": list(experiment.jobs_per_load),
        "sample_interval_ms": experiment.sample_interval_ms,
        "timeout_s": experiment.timeout_s,
        "heap": experiment.heap,
        "stop": experiment.stop,
        "heap_source": manifest.heap,
        "worker_starts": sorted({start for each in records for start in each.worker_starts}),
        "steps": [_step(step, manifest) for step in experiment.steps],
        "profile_reason": without_folders(manifest.profile_reason),
        "run_id": manifest.run_id,
        "created_at": manifest.created_at,
        "tool_version": manifest.tool_version,
        "host": {key: manifest.host.get(key) for key in HOST_SUMMARY},
        "packages": {name: version for name, version in manifest.packages.items() if version},
        "restarts": {each.series: list(each.restarts) for each in records if each.restarts},
        "warnings": [without_folders(each) for each in manifest.warnings],
    }


def without_folders(said: str) -> str:
    """Return a sentence with ``…/name`` for an absolute path; with several, what is between them is cut out too."""
    return _FOLDERS.sub("…/", said)


def _series(series: Series) -> dict[str, Any]:
    return {
        "method": series.method,
        "variant": series.variant,
        "env": dict(series.env),
        "allocator": Path(series.allocator).name if series.allocator else None,
    }


def _step(step: Step, manifest: Manifest) -> dict[str, Any]:
    hashes = {file.path: file.sha256 for file in manifest.files}
    return {
        "task": step.task,
        "text": step.text,
        "options": dict(step.options),
        "model": _model(step.model, hashes),
        "sample": _sample(step.sample, hashes, manifest) if step.sample else None,
    }


def _model(model: BoundModel, hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return every setting of the model, files by name and hash, what names it first."""
    settings: dict[str, Any] = msgspec.to_builtins(model)
    del settings["limits"]  # an experiment has none
    head = {
        "role": model.name,
        "label": model.label,
        "engine": model.engine,
        "file": Path(model.file).name if model.file else None,
        "file_sha256": hashes.get(model.file) if model.file else None,
        "library": Path(model.library).name if model.library else None,
        "library_sha256": hashes.get(model.library) if model.library else None,
    }
    return head | {key: value for key, value in settings.items() if key not in head}


def _sample(sample: Sample, hashes: Mapping[str, str], manifest: Manifest) -> dict[str, Any]:
    known = next((file for file in manifest.samples if file.name == sample.name), None)
    used = known or SampleFile(sample.name, sample.audio, hashes.get(sample.audio, ""), 0.0, "user's own")
    base = Path(str(manifest.plan.get("file", ""))).parent
    return {
        "name": sample.name,
        "audio": os.path.relpath(sample.audio, base),
        "sha256": used.sha256 or None,
        "seconds": used.seconds if known else None,
        "state": used.state if known else None,
        "conversion": used.conversion,
        "reference": sample.reference,
    }

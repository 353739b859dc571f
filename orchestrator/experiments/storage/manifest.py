"""``manifest.json``: what a run is, so that its numbers can be judged and the run be continued.

Written when a run begins, and again whenever its state changes; the iterations themselves are in
:mod:`.entry_log`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Plan, Sample, Series
from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.file_hashes import HashedFile
from orchestrator.experiments.storage.host import (
    allocator_environment,
    engine_packages,
    host_facts,
    package_versions,
)
from orchestrator.experiments.storage.records import RECORDS_SCHEMA, SampleFile
from orchestrator.experiments.storage.stored_calibration import CalibrationStamp
from orchestrator.experiments.storage.upgrades import Chain, upgrade
from orchestrator.files.reading import read_regular
from orchestrator.files.untrusted import UNREADABLE
from orchestrator.files.writing import to_readable_json, write_atomically
from orchestrator.process.host.usable_memory import free_budget_bytes
from orchestrator_worker import __version__

MANIFEST_UPGRADES: Chain = {1: dict}
"""Steps from older schemas, by the version they start from. Schema 2 changed the entries only."""

RunState = Literal["running", "interrupted", "finished"]
"""``running`` in a manifest that nobody holds the lock for: the run was killed."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a run besides its entries.

    ``schema`` covers the entries too; a run keeps the one it began with. ``plan`` is the effective configuration;
    ``plan_fingerprint`` decides what a run may be resumed with (see :func:`plan_fingerprint`). ``heap`` is the source
    of the allocator's view or why there is none; None until the first worker has told. ``iterations_saved`` is by
    experiment, then series, for those that early stopping ended. ``calibration`` says which one lay beside the results
    when the run began, ``budget_bytes`` what a pool could have used then: all that plans from the run on its own host
    reckon with that, so that they say the same however free memory moves. None in a run of an earlier version.
    """

    run_id: str
    created_at: str
    state: RunState
    profile: str
    profile_reason: str
    plan: dict[str, Any]
    plan_fingerprint: str
    host: dict[str, Any]
    packages: dict[str, str | None]
    files: list[HashedFile]
    samples: list[SampleFile]
    heap: str | None = None
    calibration: CalibrationStamp | None = None
    warnings: list[str] = []
    iterations_saved: dict[str, dict[str, int]] = {}
    budget_bytes: int | None = None
    tool_version: str = __version__
    schema: int = RECORDS_SCHEMA


def make_manifest(
    plan: Plan,
    *,
    run_id: str,
    files: Sequence[HashedFile],
    samples: Sequence[SampleFile],
    heap: str | None = None,
    calibration: CalibrationStamp | None = None,
    warnings: Sequence[str] = (),
) -> Manifest:
    """Describe a run of ``plan`` that begins now on this host, in state ``running``."""
    return Manifest(
        run_id=run_id,
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        state="running",
        profile=plan.profile,
        profile_reason=plan.profile_reason,
        plan=msgspec.json.decode(msgspec.json.encode(plan)),
        plan_fingerprint=plan_fingerprint(plan, files),
        host=host_facts(),
        packages=package_versions(),
        files=list(files),
        samples=list(samples),
        heap=heap,
        calibration=calibration,
        warnings=list(warnings),
        budget_bytes=free_budget_bytes(),
    )


def plan_fingerprint(
    plan: Plan,
    files: Sequence[HashedFile],
    *,
    packages: Mapping[str, str | None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return the SHA-256 of what decides the measurement; two runs that share it may share their series.

    In it: experiments, steps, methods, iterations, whether a series may stop early, environments, the content of
    models, libraries, samples and reference texts, the versions of the engines' packages and the allocator's
    environment (the last two default to this host's). Not in it: where files lie, what things are called in
    tables, which file they are written to, timeouts and retention.
    """
    hashes = {file.path: file.sha256 for file in files}
    decisive = {
        "experiments": [_decisive_of_experiment(experiment, hashes) for experiment in plan.experiments],
        "packages": dict(engine_packages() if packages is None else packages),
        "environment": dict(allocator_environment() if environment is None else environment),
    }
    return hashlib.sha256(msgspec.msgpack.encode(decisive, order="deterministic")).hexdigest()


def read_manifest(path: Path, *, chain: Mapping[int, Any] = MANIFEST_UPGRADES) -> Manifest:
    """Read a manifest of this or an older schema.

    Raises:
        ResultsError: It is missing, unreadable, damaged, no manifest of ours, or of a newer schema.
    """
    try:
        document = msgspec.json.decode(read_regular(path), type=dict[str, Any])
        upgraded = upgrade(
            document, document.get("schema"), current=RECORDS_SCHEMA, chain=chain, where=str(path)
        )
        return msgspec.convert(upgraded, type=Manifest)
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    except UNREADABLE as error:
        raise ResultsError(
            f"{path}: damaged, or not a manifest of ours ({error}); start a new run"
        ) from error


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write ``manifest``, replacing an older one in one stroke.

    Raises:
        ResultsError: It cannot be written; an older one is untouched.
    """
    write_atomically(path, to_readable_json(manifest))


def _decisive_of_experiment(experiment: Experiment, hashes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "series": [_decisive_of_series(series) for series in experiment.series],
        **({"stop": experiment.stop} if experiment.stop != "never" else {}),
        **({"jobs_per_load": list(experiment.jobs_per_load)} if experiment.jobs_per_load != (1, 1) else {}),
        "iterations": experiment.iterations,
        "recycle_after": experiment.recycle_after,
        "sample_interval_ms": experiment.sample_interval_ms,
        "heap": experiment.heap,
        "steps": [
            {
                "task": step.task,
                "text": step.text,
                "options": step.options,
                "model": _decisive_of_model(step.model, hashes),
                "sample": _decisive_of_sample(step.sample, hashes),
            }
            for step in experiment.steps
        ],
    }


def _decisive_of_series(series: Series) -> dict[str, Any]:
    """What is not said is left out, as from a plan of the time before it could be."""
    decisive: dict[str, Any] = msgspec.to_builtins(series)
    if decisive["allocator"] is None:
        del decisive["allocator"]
    return decisive


def _decisive_of_model(model: BoundModel, hashes: Mapping[str, str]) -> dict[str, Any]:
    decisive: dict[str, Any] = msgspec.to_builtins(model)
    for shown_only in ("label", "threads_note"):
        del decisive[shown_only]
    # the defaults are left out, as from a plan of the time before there was a choice
    if decisive["chinese"] == "zh-TW":
        del decisive["chinese"]
    if not decisive["limits"]:
        del decisive["limits"]
    for path_key in ("file", "library"):
        if path := decisive[path_key]:
            decisive[path_key] = hashes.get(path, "missing")
    return decisive


def _decisive_of_sample(sample: Sample | None, hashes: Mapping[str, str]) -> dict[str, Any] | None:
    if sample is None:
        return None
    return {
        "name": sample.name,
        "audio": hashes.get(sample.audio, "missing"),
        "reference": sample.reference,
    }

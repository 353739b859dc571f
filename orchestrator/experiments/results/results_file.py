"""The result file of one experiment: its form, how it is written, how it is read back.

``{schema, tool, profile, config, summary, iterations}``: what was done, what came out of it per method, and
every iteration. What the parts are made of is the business of :mod:`.results_config`, :mod:`.summary` and
:mod:`.results_iterations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.config.types import Experiment
from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.summary import summarize_all
from orchestrator.experiments.results.results_config import config_part
from orchestrator.experiments.results.results_iterations import iterations_part, rounded
from orchestrator.experiments.storage.manifest import Manifest
from orchestrator.experiments.storage.records import SeriesRecords
from orchestrator.experiments.storage.upgrades import Chain, upgrade
from orchestrator.files.writing import to_readable_json, write_atomically

RESULTS_SCHEMA = 1
RESULTS_UPGRADES: Chain = {}
"""Steps from older schemas, by the version they start from; schema 1 is the first."""

_SUMMARY_DIGITS = 6


class IterationEntry(msgspec.Struct, frozen=True):
    """The part of an entry of ``iterations`` that every one has; the whole entry is kept beside it."""

    method: str
    iteration: int
    memory_mb: float


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A result file's content. ``summary`` is by series: a method, or ``method@variant``."""

    schema: int = RESULTS_SCHEMA
    tool: str
    profile: str
    config: dict[str, Any]
    summary: dict[str, dict[str, Any]]
    iterations: list[dict[str, Any]]


def make_results(experiment: Experiment, records: Sequence[SeriesRecords], manifest: Manifest) -> Results:
    """Put together the results of ``experiment`` as far as its series have come.

    ``records`` are those of this experiment alone. Memory is in MB of 1024² bytes, rounded to 4 digits.
    """
    present = {series.key for series in experiment.series}
    ordered = [each for key in (s.key for s in experiment.series) for each in records if each.series == key]
    ordered += [each for each in records if each.series not in present]
    return Results(
        tool=f"orchestrator {manifest.tool_version}",
        profile=manifest.profile,
        config=config_part(experiment, ordered, manifest),
        summary=rounded(summarize_all(experiment, ordered), _SUMMARY_DIGITS),
        iterations=iterations_part(experiment, ordered),
    )


def write_results(
    folder: Path, experiment: Experiment, records: Sequence[SeriesRecords], manifest: Manifest
) -> Path:
    """Write the results of ``experiment`` into ``folder`` under its file name, and return the path.

    The file is replaced in one stroke, so it can be written again after each series.

    Raises:
        ResultsError: It cannot be written; an older one is untouched.
    """
    path = folder / experiment.output
    write_atomically(path, to_readable_json(make_results(experiment, records, manifest)))
    return path


def read_results(path: Path, *, chain: Chain = RESULTS_UPGRADES) -> Results:
    """Read a result file of this or an older schema.

    Raises:
        ResultsError: It is missing, unreadable, damaged, no result file of ours, or of a newer schema.
    """
    try:
        document = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path}: not a JSON object ({error}); name a result file of ours") from error
    document = upgrade(document, document.get("schema"), current=RESULTS_SCHEMA, chain=chain, where=str(path))
    try:
        results = msgspec.convert({**document, "schema": RESULTS_SCHEMA}, type=Results)
        msgspec.convert(results.iterations, type=list[IterationEntry])
    except msgspec.ValidationError as error:
        raise ResultsError(f"{path}: not a result file of ours ({error})") from error
    return results

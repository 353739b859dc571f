"""The result file of one experiment: its form, how it is written, how it is read back.

``{schema, tool, profile, config, summary, iterations}``: what was done, what came out of it per method, and
every iteration. What the parts are made of is decided in :mod:`.results_config`, :mod:`.summary` and
:mod:`.results_iterations`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from orchestrator.config.types import Experiment
from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.judgement import Judgements
from orchestrator.experiments.judging.summary import summarize_all
from orchestrator.experiments.results.results_config import config_part
from orchestrator.experiments.results.results_iterations import iterations_part, rounded
from orchestrator.experiments.storage.manifest import Manifest
from orchestrator.experiments.storage.upgrades import ERROR_WORDS, Chain, upgrade
from orchestrator.files.reading import read_regular
from orchestrator.files.untrusted import UNREADABLE
from orchestrator.files.writing import to_readable_json, write_atomically
from orchestrator.report.summaries import SeriesSummary

RESULTS_SCHEMA = 3


def _one_key_for_a_rate(document: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 wrote ``rate_mb_per_iter`` and ``rate_mb_per_iteration`` for the same kind of number."""
    renamed = {
        "growth_rate_mb_per_iter": "growth_rate_mb_per_iteration",
        "rate_mb_per_iter": "rate_mb_per_iteration",
        "low_mb_per_iter": "ci_low",
        "high_mb_per_iter": "ci_high",
    }

    def rename(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        table: dict[str, Any] = node  # pyright: ignore[reportUnknownVariableType]
        return {renamed.get(key, key): rename(value) for key, value in table.items()}

    return {**document, "summary": rename(document.get("summary")), "schema": 2}


def _words_of_errors(document: dict[str, Any]) -> dict[str, Any]:
    """Schema 2 called two facts of a series' end otherwise than the errors that they come from."""

    def rename(series: Any) -> Any:
        if not isinstance(series, dict):
            return series
        facts: dict[str, Any] = series  # pyright: ignore[reportUnknownVariableType]
        return {ERROR_WORDS.get(key, key): value for key, value in facts.items()}

    summary = document.get("summary")
    if isinstance(summary, dict):
        by_series: dict[str, Any] = summary  # pyright: ignore[reportUnknownVariableType]
        summary = {key: rename(series) for key, series in by_series.items()}
    return {**document, "summary": summary, "schema": 3}


RESULTS_UPGRADES: Chain = {1: _one_key_for_a_rate, 2: _words_of_errors}
"""Steps from older schemas, by the version they start from."""

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
    summary: dict[str, SeriesSummary]
    iterations: list[dict[str, Any]]


def make_results(
    judgements: Judgements, manifest: Manifest, summaries: dict[str, SeriesSummary] | None = None
) -> Results:
    """Put together the results of an experiment as far as its series have come.

    ``summaries`` are what :func:`.summarize_all` has made of the judgements, where somebody has them already. Memory is
    in MB of 1024² bytes.
    """
    experiment, ordered = judgements.experiment, list(judgements.records.values())
    return Results(
        tool=f"orchestrator {manifest.tool_version}",
        profile=manifest.profile,
        config=config_part(experiment, ordered, manifest),
        summary=summarize_all(judgements) if summaries is None else summaries,
        iterations=iterations_part(experiment, ordered),
    )


def write_results(folder: Path, experiment: Experiment, results: Results) -> Path:
    """Write the results of ``experiment`` into ``folder`` under its file name, and return the path.

    Numbers of the summary are rounded to 6 digits. The file is replaced in one stroke, so it can be written again after
    each series.

    Raises:
        ResultsError: It cannot be written; an older one is untouched.
    """
    path = folder / experiment.output
    document: dict[str, Any] = msgspec.to_builtins(results)
    document["summary"] = rounded(document["summary"], _SUMMARY_DIGITS)
    write_atomically(path, to_readable_json(document))
    return path


def read_results(path: Path, *, chain: Chain = RESULTS_UPGRADES) -> Results:
    """Read a result file of this or an older schema.

    Raises:
        ResultsError: It is missing, unreadable, damaged, no result file of ours, or of a newer schema.
    """
    try:
        document = msgspec.json.decode(read_regular(path, follow=True), type=dict[str, Any])
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    except UNREADABLE as error:
        raise ResultsError(f"{path}: not a JSON object ({error}); name a result file of ours") from error
    document = upgrade(document, document.get("schema"), current=RESULTS_SCHEMA, chain=chain, where=str(path))
    try:
        results = msgspec.convert({**document, "schema": RESULTS_SCHEMA}, type=Results)
        msgspec.convert(results.iterations, type=list[IterationEntry])
    except msgspec.ValidationError as error:
        raise ResultsError(f"{path}: not a result file of ours ({error})") from error
    return results

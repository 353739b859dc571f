"""The results of a run, wherever its path points: a run's folder, a results folder, one result file.

A run's folder is read from its own entries, so that a run that was cut off, or whose result files a later
run has replaced, can still be judged and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.config.types import Plan
from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.judgement import Judgements
from orchestrator.experiments.results.results_file import Results, make_results, read_results
from orchestrator.experiments.storage.entry_log import series_records
from orchestrator.experiments.storage.manifest import Manifest
from orchestrator.experiments.storage.run_files import ENTRIES_NAME, MANIFEST_NAME, is_run_folder
from orchestrator.experiments.storage.run_folder import ResultsFolder, RunFolder


def results_of_run(path: Path) -> dict[str, Results]:
    """Return the results of every experiment of the run in the folder ``path``, by experiment.

    Raises:
        ResultsError: Its manifest or entries cannot be read, or it holds no entry.
    """
    run = RunFolder(path)
    manifest = run.manifest()
    judged = judgements_of_run(run, manifest)
    if not judged:
        raise ResultsError(f"{path / ENTRIES_NAME}: no iteration in it; the run ended before its first")
    return {name: make_results(each, manifest) for name, each in judged.items()}


def judgements_of_run(run: RunFolder, manifest: Manifest) -> dict[str, Judgements]:
    """Return the judgements of every experiment that the run has come to, by experiment.

    Raises:
        ResultsError: Its plan or its entries cannot be read.
    """
    records = series_records(run.entries())
    found: dict[str, Judgements] = {}
    for experiment in plan_of_run(manifest, run.path).experiments:
        own = [each for (name, _), each in records.items() if name == experiment.name]
        if own:
            found[experiment.name] = Judgements(experiment, own)
    return found


def load_run(path: Path) -> dict[str, Results]:
    """Return the results that ``path`` points to, by experiment.

    Args:
        path: A run's folder, a results folder (its newest run counts), or one result file.

    Raises:
        ResultsError: There is none, or it cannot be read; says what to name instead.
    """
    if path.is_file():
        results = read_results(path)
        return {str(results.config.get("experiment", path.stem)): results}
    if is_run_folder(path):
        return results_of_run(path)
    if not path.exists():
        raise ResultsError(f"{path}: no such file or folder")
    runs = ResultsFolder(path).run_folders()
    if not runs:
        raise ResultsError(
            f"{path}: no run in it; name a folder of results/runs, a results folder, or a result file"
        )
    return results_of_run(runs[-1].path)


def recorded_budget(path: Path, host: Mapping[str, Any] | None = None) -> int | None:
    """Return the memory for pools that a run was recorded with, in bytes; None where nothing is known of it.

    Args:
        path: As for :func:`load_run`.
        host: Only where the run was made on a host with the memory and the cores of this one.
    """
    runs = [RunFolder(path)] if is_run_folder(path) else ResultsFolder(path).run_folders()
    if not runs:
        return None
    manifest = runs[-1].manifest()
    alike = host is None or all(manifest.host.get(key) == host.get(key) for key in _SIZE_OF_A_HOST)
    return manifest.budget_bytes if alike else None


_SIZE_OF_A_HOST = ("memory_total_bytes", "cgroup_memory_bytes", "cpu_model", "cores_total")


def load_runs(path: Path, *, every: bool = False) -> list[dict[str, Results]]:
    """Return the runs that ``path`` points to: one, or with ``every`` all finished ones of a results folder.

    Raises:
        ResultsError: As :func:`load_run`; or none of the folder's runs is finished.
    """
    if not every or not path.is_dir() or is_run_folder(path):
        return [load_run(path)]
    runs = [run for run in ResultsFolder(path).run_folders() if run.manifest().state == "finished"]
    if not runs:
        raise ResultsError(
            f"{path}: no finished run in it; name a results folder with runs, or a run of its own"
        )
    return [results_of_run(run.path) for run in runs]


def plan_of_run(manifest: Manifest, path: Path) -> Plan:
    """Return what the run in the folder ``path`` was to do.

    Raises:
        ResultsError: The manifest's plan cannot be read.
    """
    try:
        return msgspec.convert(manifest.plan, type=Plan)
    except msgspec.ValidationError as error:
        raise ResultsError(f"{path / MANIFEST_NAME}: its plan cannot be read ({error})") from error

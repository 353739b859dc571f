"""Outputs that users name are kept apart from what runs have recorded: their results, entries, samples, manifests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.run_files import is_run_folder
from orchestrator.files.output_place import Form, check_place

_RUNS = "runs"


def check_output(path: Path, form: Form, *, runs: Iterable[Path] = (), make: bool = False) -> None:
    """Refuse a place for an output before any work goes into it, as :func:`.check_place`, and among a run's files.

    In the folder of a run or of results it must have an ending of its form: no name that a run uses has one.

    Args:
        path: The file as the user named it.
        form: What will be written.
        runs: What the command reads or writes: run folders, results folders, result files.
        make: Whether its folder is made.

    Raises:
        ResultsError: It may not be written there; says why.
    """
    try:
        _check(path, form, list(runs), make=make)
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror or error}; name another file") from error


def _check(path: Path, form: Form, runs: Iterable[Path], *, make: bool) -> None:
    named = [run for run in runs if run.exists()]
    if any(not run.is_dir() and _is_same(path, run) for run in named):
        raise ResultsError(f"{path} is one of the runs; name another file")
    check_place(path, form, make=make)
    if path.suffix.lower() in form.endings:
        return
    if holder := _holder(path.absolute().parent, [run for run in named if run.is_dir()]):
        raise ResultsError(
            f"{path} would lie among the files of runs in {holder}: there the name of {form.name} must end in "
            f"{' or '.join(form.endings)}"
        )


def _is_same(path: Path, run: Path) -> bool:
    return path.absolute() == run.absolute() or (path.exists() and path.samefile(run))


def _holder(folder: Path, named: Iterable[Path]) -> Path | None:
    """Return the folder of a run or of results that ``folder`` is or lies in."""
    real = folder.resolve()
    known = {each.resolve() for each in named}
    return next(
        (each for each in (real, *real.parents) if each in known or is_run_folder(each) or _has_runs(each)),
        None,
    )


def _has_runs(folder: Path) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder / _RUNS) as inside:
        return any(is_run_folder(Path(entry.path)) for entry in inside)
    return False

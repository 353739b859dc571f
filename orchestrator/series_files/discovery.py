"""From the paths a user names to the series in them; a bad file spoils only itself.

A file is read by its ending, a run's folder by its entries. Of any other folder the files directly in it are
taken, and the folders of runs directly in it; a JSON file there that has no iterations is passed over
with a note (label files and the like), while one that was named is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.run_files import ENTRIES_NAME, is_run_folder
from orchestrator.series_files.csv_series import read_csv
from orchestrator.series_files.measured import MeasuredSeries
from orchestrator.series_files.seed_series import KEY, read_plain

_ENDINGS = (".csv", ".json")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A path that gave no series. ``bad`` is False for one that was only passed over in a folder."""

    message: str
    bad: bool = True


def find_series(paths: Sequence[Path]) -> Iterator[MeasuredSeries | Trouble]:
    """Read everything that ``paths`` name, one file at a time, in their order and in that of their names."""
    for path in paths:
        yield from _of_path(path)


def _of_path(path: Path) -> Iterator[MeasuredSeries | Trouble]:
    if not path.exists():
        yield Trouble(f"{path}: no such file or folder")
    elif is_run_folder(path):
        yield from _guarded(path)
    elif path.is_dir():
        yield from _of_folder(path)
    elif path.name == ENTRIES_NAME and is_run_folder(path.parent):
        yield from _guarded(path.parent)
    else:
        yield from _guarded(path)


def _of_folder(folder: Path) -> Iterator[MeasuredSeries | Trouble]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        yield Trouble(f"cannot read {folder}: {error.strerror}")
        return
    taken = [
        each
        for each in inside
        if not each.name.startswith(".") and (each.suffix.lower() in _ENDINGS or is_run_folder(each))
    ]
    if not taken:
        hint = "name its runs folder or a run" if (folder / "runs").is_dir() else "name other paths"
        yield Trouble(f"{folder}: no CSV, no JSON and no run in it; {hint}")
    for each in taken:
        yield from _guarded(each, named=False)


def _guarded(path: Path, *, named: bool = True) -> Iterator[MeasuredSeries | Trouble]:
    try:
        found = _read(path, named=named)
    except ResultsError as error:
        yield Trouble(str(error))
        return
    if not found:
        yield Trouble(f"{path}: passed over, it has no {KEY}", bad=False)
    yield from found


def _read(path: Path, *, named: bool) -> list[MeasuredSeries]:
    if path.is_dir():
        return _read_run(path)
    if path.suffix.lower() == ".json":
        return _read_json(path, named=named)
    return [read_csv(path)]


def _read_run(path: Path) -> list[MeasuredSeries]:
    # Imported here and below: a CSV file needs nothing of a run, and all that makes a run costs as much as numpy.
    from orchestrator.experiments.results.run_results import results_of_run  # noqa: PLC0415
    from orchestrator.series_files.result_series import result_series  # noqa: PLC0415

    results = results_of_run(path).values()
    return [series for each in results for series in result_series(each, str(path / ENTRIES_NAME))]


def _read_json(path: Path, *, named: bool) -> list[MeasuredSeries]:
    try:
        document: object = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path}: not JSON ({error})") from error
    table: dict[str, Any] = msgspec.convert(document, dict[str, Any]) if isinstance(document, dict) else {}
    if KEY not in table:
        if named:
            raise ResultsError(f"{path}: no {KEY} in it; name a result file, a run's folder or a CSV file")
        return []
    if str(table.get("tool", "")).startswith("orchestrator"):
        return _read_results(path)
    return read_plain(table, str(path))


def _read_results(path: Path) -> list[MeasuredSeries]:
    from orchestrator.experiments.results.results_file import read_results  # noqa: PLC0415
    from orchestrator.series_files.result_series import result_series  # noqa: PLC0415

    return result_series(read_results(path), str(path))

"""From the paths a user names to the series in them; a bad file spoils only itself.

A run's folder is read by its entries, any other file by what is in it. Of any other folder the files directly in it
are taken, and the folders of runs directly in it. What has no series there is passed over with a note (label files,
logs of something else), while a file that was named is an error, and so is a CSV file anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.run_files import ENTRIES_NAME, is_run_folder
from orchestrator.files.reading import read_named, read_regular
from orchestrator.files.untrusted import UNREADABLE, content_of
from orchestrator.series_files.measured import MeasuredSeries
from orchestrator.series_files.seed_series import KEY, read_plain
from orchestrator.series_files.table_cells import Asked, NoSeriesError
from orchestrator.series_files.table_series import series_of
from orchestrator.series_files.tool_files import begins_json, table_of, table_of_json

_LOOSE = (".tsv", ".dat", ".txt", ".log", ".out", ".jsonl")
_ENDINGS = (".csv", ".json", *_LOOSE)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A path that gave no series. ``bad`` is False for one that was only passed over in a folder."""

    message: str
    bad: bool = True


def find_series(paths: Sequence[Path], asked: Asked | None = None) -> Iterator[MeasuredSeries | Trouble]:
    """Read everything that ``paths`` name, one file at a time, in their order and in that of their names."""
    asked = asked or Asked()
    for path in paths:
        yield from _of_path(path, asked)


def _of_path(path: Path, asked: Asked) -> Iterator[MeasuredSeries | Trouble]:
    if not path.exists():
        yield Trouble(f"{path}: no such file or folder")
    elif path.is_dir() and not is_run_folder(path):
        yield from _of_folder(path, asked)
    elif path.name == ENTRIES_NAME and is_run_folder(path.parent):
        yield from _guarded(path.parent, asked)
    else:
        yield from _guarded(path, asked)


def _of_folder(folder: Path, asked: Asked) -> Iterator[MeasuredSeries | Trouble]:
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
        others = "name its runs folder or a run" if (folder / "runs").is_dir() else "name other paths"
        yield Trouble(f"{folder}: no CSV, no JSON and no run in it; {others}")
    for each in taken:
        yield from _guarded(each, asked, named=False)


def _guarded(path: Path, asked: Asked, *, named: bool = True) -> Iterator[MeasuredSeries | Trouble]:
    loose = not named and path.suffix.lower() in _LOOSE
    try:
        with content_of(path):
            found = _read_run(path) if path.is_dir() else read_file(path, asked, named=named)
    except NoSeriesError as error:
        if named or path.suffix.lower() == ".csv":
            yield Trouble(str(error))
        else:
            yield Trouble(f"{path}: passed over, it has no {'column of memory' if loose else KEY}", bad=False)
        return
    except ResultsError as error:
        yield Trouble(str(error))
        return
    yield from found


def read_file(path: Path, asked: Asked | None = None, *, named: bool = True) -> list[MeasuredSeries]:
    """Return the series of one file: ours, or what any tool wrote.

    A file that the user has ``named`` may also be a pipe that a shell has made.

    Raises:
        NoSeriesError: It holds no column or list of memory.
        ResultsError: It cannot be read, or what it holds is no series; says where and what to do.
    """
    text = _text(path, named=named)
    asked = asked or Asked()
    if not begins_json(text):
        return series_of(table_of(text, asked.column), str(path), asked)
    try:
        document: object = msgspec.json.decode(text)
    except UNREADABLE as error:
        lines = table_of(text, asked.column)  # an object a line
        if not lines.rows:
            raise ResultsError(f"{path}: not JSON ({error})") from error
        return series_of(lines, str(path), asked)
    return _of_document(document, path, asked)


def _of_document(document: object, path: Path, asked: Asked) -> list[MeasuredSeries]:
    table = _keys_of(document)
    if KEY in table and str(table.get("tool", "")).startswith("orchestrator"):
        return _read_results(path)
    if KEY in table:
        return read_plain(table, str(path))
    found = table_of_json(document)
    if found is None:
        keys = f" (its keys: {', '.join(list(table)[:20])})" if table else ""
        raise NoSeriesError(
            f"{path}: no {KEY} in it{keys}; name a result file, a run's folder, a range that Prometheus answered, or a "
            "list of objects with a key such as rss_mb"
        )
    return series_of(found, str(path), asked)


def _keys_of(document: object) -> dict[str, Any]:
    return msgspec.convert(document, dict[str, Any]) if isinstance(document, dict) else {}


def _text(path: Path, *, named: bool) -> str:
    try:
        content = read_named(path) if named else read_regular(path, follow=True)
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    if content.startswith(_UTF16):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise NoSeriesError(
            f"{path}: not a text (byte {content.index(0) + 1} is 0); name a CSV, JSON or log file"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # what office programs write without being asked


def _read_run(path: Path) -> list[MeasuredSeries]:
    # Imported here and below: a CSV file needs nothing of a run, and all that makes a run costs as much as numpy.
    from orchestrator.experiments.results.run_results import results_of_run  # noqa: PLC0415
    from orchestrator.series_files.result_series import result_series  # noqa: PLC0415

    results = results_of_run(path).values()
    return [series for each in results for series in result_series(each, str(path / ENTRIES_NAME))]


def _read_results(path: Path) -> list[MeasuredSeries]:
    from orchestrator.experiments.results.results_file import read_results  # noqa: PLC0415
    from orchestrator.series_files.result_series import result_series  # noqa: PLC0415

    return result_series(read_results(path), str(path))

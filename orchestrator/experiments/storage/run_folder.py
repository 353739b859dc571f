"""The results folder and the runs in it.

::

    results/
      asr_results.json …     one per experiment, see results_file
      .lock                  held by the run that writes here
      .hashes.json           remembered hashes of big files
      .audio/                prepared copies of samples
      runs/<id>/
        manifest.json        what the run is, and its state
        iterations.jsonl     its entries, one a line
        samples.bin, .json   the time series

Here: which folders there are, which may be resumed, which may be deleted. What is in the files is
decided in :mod:`.manifest` and :mod:`.entry_log`. A folder under ``runs/`` counts as ours when its name is
the run id that its own manifest tells; so renaming a run's folder keeps it for ever.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import msgspec

from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.entry_log import EntryLog, read_entries
from orchestrator.experiments.storage.manifest import (
    Manifest,
    RunState,
    read_manifest,
    write_manifest,
)
from orchestrator.experiments.storage.records import Entry
from orchestrator.experiments.storage.run_files import ENTRIES_NAME, MANIFEST_NAME
from orchestrator.files.folder_lock import locked
from orchestrator.files.writing import write_problem

_RUN_ID = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{4}")
_DELETING = ".deleting-"


class RunFolder:
    """One run's folder: its manifest and its entries. Close it, or use it in a ``with`` block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = path.name
        self._log = EntryLog(path / ENTRIES_NAME)

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            ResultsError: There is none that can be read.
        """
        return read_manifest(self.path / MANIFEST_NAME)

    def save(self, manifest: Manifest) -> None:
        """Write or replace the manifest.

        Raises:
            ResultsError: It cannot be written; an older one is untouched.
        """
        write_manifest(self.path / MANIFEST_NAME, manifest)

    def set_state(self, state: RunState) -> Manifest:
        """Change the state in the manifest and return the new manifest.

        Raises:
            ResultsError: It cannot be read or written.
        """
        manifest = msgspec.structs.replace(self.manifest(), state=state)
        self.save(manifest)
        return manifest

    def append(self, entry: Entry) -> None:
        """Write one entry; when this returns, a killed process cannot lose it any more.

        Raises:
            ResultsError: The disk is full or the like; names what is safe and what to do.
        """
        self._log.append(entry)

    def entries(self) -> list[Entry]:
        """Return all whole entries in their order; a last line that was cut does not count.

        Raises:
            ResultsError: A line in the middle is damaged, or the run was written under a newer schema.
        """
        return read_entries(self.path / ENTRIES_NAME, self.manifest().schema)

    def close(self) -> None:
        """Close the file of entries; again is harmless."""
        self._log.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Pruning(msgspec.Struct, frozen=True):
    """What :meth:`ResultsFolder.prune` did: ids of deleted runs, sentences about what would not go."""

    deleted: list[str]
    problems: list[str]


class ResultsFolder:
    """A results folder.

    Made, with its parents, on first use; call everything that writes inside :meth:`lock`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs = path / "runs"
        self.audio_cache = path / ".audio"
        self.hashes = path / ".hashes.json"

    def lock(self) -> AbstractContextManager[None]:
        """Make the folder and hold its lock for the ``with`` block.

        Raises:
            ResultsLockedError: Another run holds it; says which.
            ResultsError: The folder cannot be made or written.
        """
        _make_folder(self.path)
        return locked(self.path)

    def new_run(self) -> RunFolder:
        """Make an empty folder for a run; its id sorts by time. A run it is once its manifest is saved.

        Raises:
            ResultsError: It cannot be made.
        """
        _make_folder(self.runs)
        while True:
            path = self.runs / _new_id()
            try:
                path.mkdir()
            except FileExistsError:
                continue
            except OSError as error:
                raise write_problem(path, error) from error
            return RunFolder(path)

    def run_folders(self) -> list[RunFolder]:
        """Return all runs of ours, oldest first. Folders whose manifest cannot be read are left out."""
        try:
            paths = sorted(path for path in self.runs.iterdir() if _RUN_ID.fullmatch(path.name))
        except OSError:
            return []
        return [RunFolder(path) for path in paths if _is_run(path)]

    def latest_resumable(self, plan_fingerprint: str) -> RunFolder | None:
        """Return the newest run of this plan unless it is finished; None: there is nothing to go on with.

        An older unfinished run behind a finished one is history: resuming it would overwrite newer results.
        """
        for run in reversed(self.run_folders()):
            manifest = run.manifest()
            if manifest.plan_fingerprint == plan_fingerprint:
                return None if manifest.state == "finished" else run
        return None

    def prune(self, keep_runs: int, current: RunFolder | None = None) -> Pruning:
        """Delete the oldest runs so that ``keep_runs`` remain, ``current`` among them and never deleted.

        What cannot be deleted stays and is named; it fails no run.
        """
        runs = [run for run in self.run_folders() if current is None or run.run_id != current.run_id]
        room = max(0, keep_runs - (current is not None))
        result = Pruning([], [])
        for run in runs[: max(0, len(runs) - room)]:
            target = self.runs / f"{_DELETING}{run.run_id}"
            if _without_error(partial(run.path.rename, target), run.path, result):
                result.deleted.append(run.run_id)
        self._sweep(result, current)
        return result

    def _sweep(self, result: Pruning, current: RunFolder | None) -> None:
        """Remove what is on its way out, a killed run's leavings too, and folders that were never filled."""
        with contextlib.suppress(FileNotFoundError):
            for path in sorted(self.runs.iterdir()):
                if path.is_symlink() or (current is not None and path.name == current.run_id):
                    continue
                if path.name.startswith(_DELETING) and _RUN_ID.fullmatch(path.name[len(_DELETING) :]):
                    _without_error(partial(shutil.rmtree, path), path, result)
                elif _RUN_ID.fullmatch(path.name):
                    with contextlib.suppress(OSError):
                        path.rmdir()  # takes empty folders only


def _new_id() -> str:
    now = dt.datetime.now(dt.UTC)
    return f"{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(2)}"


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_problem(path, error) from error


def _is_run(path: Path) -> bool:
    if path.is_symlink() or not path.is_dir():
        return False
    try:
        return read_manifest(path / MANIFEST_NAME).run_id == path.name
    except ResultsError:
        return False


def _without_error(act: Callable[[], object], path: Path, result: Pruning) -> bool:
    try:
        act()
    except OSError as error:
        result.problems.append(f"old run {path} could not be deleted: {error.strerror}")
        return False
    return True

"""Which runs are ours, which may be resumed, which may be deleted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import record_builders as build

from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.manifest import (
    Manifest,
    make_manifest,
)
from orchestrator.experiments.storage.records import Entry, SeriesEnd, SeriesStart
from orchestrator.experiments.storage.run_folder import ResultsFolder, RunFolder

ENTRIES: list[Entry] = [
    SeriesStart("exp2", "recreate"),
    build.iteration(1, build.step_record(None, (10, 20, 30, 15), text="好 one"), memory_mb=15),
    build.iteration(2, build.step_record(None, (15, 20, 30, 16)), memory_mb=16),
    SeriesEnd("exp2", "recreate", "completed", 2),
]


@pytest.fixture
def results(tmp_path: Path) -> ResultsFolder:
    return ResultsFolder(tmp_path / "results")


def manifest(run_id: str = "x", fingerprint: str = "f", **changes: Any) -> Manifest:
    whole = make_manifest(build.plan(build.experiment("recreate")), run_id=run_id, files=[], samples=[])
    return msgspec.structs.replace(whole, plan_fingerprint=fingerprint, **changes)


def make_run(results: ResultsFolder, **changes: Any) -> RunFolder:
    run = results.new_run()
    run.save(manifest(run.run_id, **changes))
    return run


def test_a_run_of_a_newer_schema_is_refused_and_left_alone(results: ResultsFolder) -> None:
    run = make_run(results)
    path = run.path / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"schema": 2', b'"schema": 99'))
    with pytest.raises(ResultsError, match="newer version"):
        run.entries()
    assert results.latest_resumable("f") is None
    assert results.prune(1).deleted == []
    assert path.exists()


def test_run_ids_sort_by_time(results: ResultsFolder) -> None:
    made = [make_run(results).run_id for _ in range(20)]
    assert made == sorted(made)
    assert [run.run_id for run in results.run_folders()] == made


def test_nothing_to_resume_in_a_folder_that_is_not_there(results: ResultsFolder) -> None:
    assert results.latest_resumable("f") is None
    assert results.prune(3).deleted == []


def test_the_newest_unfinished_run_of_the_plan_is_resumed(results: ResultsFolder) -> None:
    make_run(results, state="interrupted")
    killed = make_run(results, state="running")
    make_run(results, state="interrupted", fingerprint="another plan")
    found = results.latest_resumable("f")
    assert found is not None
    assert found.run_id == killed.run_id


def test_a_finished_run_ends_the_matter(results: ResultsFolder) -> None:
    make_run(results, state="interrupted")
    make_run(results, state="finished")
    assert results.latest_resumable("f") is None


def test_a_resumed_run_goes_on_in_its_own_file(results: ResultsFolder) -> None:
    with make_run(results, state="interrupted") as run:
        run.append(ENTRIES[0])
    found = results.latest_resumable("f")
    assert found is not None
    with found:
        found.append(ENTRIES[1])
        assert found.entries() == ENTRIES[:2]


def test_prune_deletes_the_oldest(results: ResultsFolder) -> None:
    runs = [make_run(results) for _ in range(5)]
    runs[0].append(ENTRIES[0])
    runs[0].close()
    pruned = results.prune(2, runs[-1])
    assert pruned.deleted == [run.run_id for run in runs[:3]]
    assert pruned.problems == []
    assert sorted(path.name for path in results.runs.iterdir()) == [run.run_id for run in runs[3:]]


def test_prune_never_takes_the_current_run(results: ResultsFolder) -> None:
    runs = [make_run(results) for _ in range(3)]
    results.prune(1, runs[0])
    assert [run.run_id for run in results.run_folders()] == [runs[0].run_id]


def test_prune_spares_a_current_run_without_a_manifest(results: ResultsFolder) -> None:
    make_run(results)
    current = results.new_run()
    results.prune(1, current)
    assert [path.name for path in results.runs.iterdir()] == [current.run_id]


def test_prune_leaves_alone_what_is_not_ours(results: ResultsFolder, tmp_path: Path) -> None:
    run = make_run(results)
    renamed = results.runs / "kept-by-hand"
    shutil.copytree(run.path, renamed)
    under_another_id = results.runs / "20200101T000000.000000Z-abcd"
    shutil.copytree(run.path, under_another_id)
    no_manifest = results.runs / "20200101T000000.000001Z-abcd"
    no_manifest.mkdir()
    (no_manifest / "notes.txt").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.txt").touch()
    (results.runs / "20200101T000000.000002Z-abcd").symlink_to(elsewhere)
    (results.runs / ".deleting-20200101T000000.000003Z-abcd").symlink_to(elsewhere)
    (results.runs / "README.txt").touch()
    before = sorted(path.name for path in results.runs.iterdir() if path.name != run.run_id)
    assert results.prune(1, make_run(results)).deleted == [run.run_id]
    left = {path.name for path in results.runs.iterdir()}
    assert left >= set(before)
    assert (elsewhere / "precious.txt").exists()


def test_prune_finishes_what_a_killed_one_began(results: ResultsFolder) -> None:
    run = make_run(results)
    run.path.rename(results.runs / f".deleting-{run.run_id}")
    results.new_run()  # killed before its manifest was written
    results.prune(5)
    assert list(results.runs.iterdir()) == []


def test_prune_names_what_will_not_go(results: ResultsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run, current = make_run(results), make_run(results)

    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(shutil, "rmtree", busy)
    pruned = results.prune(1, current)
    assert [run.run_id in problem and "busy" in problem for problem in pruned.problems] == [True]


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    for path in (tmp_path / "results", tmp_path / "results" / "below"):
        with pytest.raises(ResultsError, match=r"a file stands where a folder is needed.*--results"):
            ResultsFolder(path).lock()


def test_a_file_in_place_of_runs(results: ResultsFolder) -> None:
    results.path.mkdir()
    results.runs.touch()
    with pytest.raises(ResultsError, match="a file stands where a folder is needed"):
        results.new_run()


def test_a_folder_that_cannot_be_written(results: ResultsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: object, *_: object) -> int:  # permissions would not bind root
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ResultsError, match="make it writable or choose --results DIR"), results.lock():
        pass


def test_a_file_system_that_takes_no_folder() -> None:
    with pytest.raises(ResultsError, match=r"/proc/results.*--results DIR"):
        ResultsFolder(Path("/proc/results")).lock()

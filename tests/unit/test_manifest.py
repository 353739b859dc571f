"""What a run says of itself, and what decides whether it may be continued."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import record_builders as build

from orchestrator.config.types import Plan, Series
from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.file_hashes import HashedFile
from orchestrator.experiments.storage.manifest import (
    Manifest,
    make_manifest,
    plan_fingerprint,
    read_manifest,
    write_manifest,
)
from orchestrator.experiments.storage.records import SampleFile
from orchestrator.experiments.storage.run_folder import ResultsFolder
from orchestrator.files.writing import to_json, write_atomically


def manifest(run_id: str = "x", fingerprint: str = "f", **changes: Any) -> Manifest:
    whole = make_manifest(build.plan(build.experiment("recreate")), run_id=run_id, files=[], samples=[])
    return msgspec.structs.replace(whole, plan_fingerprint=fingerprint, **changes)


def test_manifest_round_trip(tmp_path: Path) -> None:
    run = ResultsFolder(tmp_path).new_run()
    made = manifest(
        run.run_id,
        files=[HashedFile("/m.bin", 5, "ab")],
        samples=[SampleFile("jfk", "/jfk.wav", "cd", 5.4, "as shipped")],
        heap="mallinfo2",
        warnings=["swap is in use"],
    )
    run.save(made)
    assert run.manifest() == made
    assert made.plan["experiments"][0]["name"] == "exp2"
    assert made.state == "running"
    assert run.set_state("interrupted").state == "interrupted"
    assert run.manifest() == msgspec.structs.replace(made, state="interrupted")
    assert sorted(path.name for path in run.path.iterdir()) == ["manifest.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"schema": 1}', b"\xff"])
def test_a_damaged_manifest_is_an_error_of_ours(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=r"manifest\.json"):
        read_manifest(path)


def test_a_manifest_that_cannot_be_written_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "manifest.json"
    write_manifest(path, manifest())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultsError, match="disk is full; its former content is safe"):
        write_manifest(path, manifest(state="finished"))
    assert read_manifest(path).state == "running"
    assert [one.name for one in tmp_path.iterdir()] == ["manifest.json"]


def test_leavings_of_a_killed_writer_are_swept_when_they_are_old(tmp_path: Path) -> None:
    left, new = tmp_path / ".a.json.0123456789ab.tmp", tmp_path / ".b.json.0123456789ab.tmp"
    for path in (left, new):
        path.write_bytes(b"half")
    os.utime(left, (1, 1))
    write_atomically(tmp_path / "a.json", b"{}")
    assert sorted(one.name for one in tmp_path.iterdir()) == [new.name, "a.json"]


def test_nan_becomes_null() -> None:
    assert to_json({"rate": float("nan")}) == b'{"rate":null}'


FILES = [
    HashedFile("/models/asr-small.bin", 5, "aa"),
    HashedFile("/samples/phone.wav", 5, "bb"),
    HashedFile("/study/experiments.toml", 5, "cc"),
]


def fingerprint(plan: Plan | None = None, files: list[HashedFile] = FILES, **changes: Any) -> str:
    facts: dict[str, Any] = {"packages": {"pocketsphinx": "5.1.1"}, "environment": {}}
    return plan_fingerprint(plan or build.plan(build.experiment("recreate")), files, **(facts | changes))


def with_experiment(**changes: Any) -> Plan:
    return build.plan(build.experiment("recreate", **changes))


def with_model(**changes: Any) -> Plan:
    return build.plan(build.experiment("recreate", steps=[build.step(of=build.model(**changes))]))


@pytest.mark.parametrize(
    "same",
    [
        with_experiment(title="Another title"),
        with_experiment(output="another.json"),
        with_experiment(timeout_s=5.0),
        with_model(label="another"),
        with_model(threads_note="lowered to 2"),
        msgspec.structs.replace(with_experiment(), keep_runs=3, file="/elsewhere.toml", profile_reason="?"),
    ],
)
def test_what_does_not_decide_the_measurement(same: Plan) -> None:
    assert fingerprint(same) == fingerprint()


def test_the_text_of_experiments_toml_does_not_decide() -> None:
    assert fingerprint(files=[*FILES[:2], HashedFile("/study/experiments.toml", 9, "dd")]) == fingerprint()


def test_a_moved_model_is_the_same_model() -> None:
    moved = [HashedFile("/new/m.bin", 5, "aa"), FILES[1]]
    assert fingerprint(with_model(file="/new/m.bin"), moved) == fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        with_experiment(iterations=11),
        with_experiment(recycle_after=2),
        with_experiment(heap=False),
        with_experiment(stop="settled"),
        build.plan(build.experiment(series=[Series("recreate", allocator="jemalloc")])),
        with_experiment(sample_interval_ms=21),
        build.plan(build.experiment("recreate", "recycle")),
        build.plan(build.experiment("restart")),
        with_model(threads=5),
        with_model(env={"MALLOC_ARENA_MAX": "1"}),
        with_model(options={"a": 1}),
        build.plan(
            build.experiment("recreate", steps=[build.step(on=build.sample(reference="other words"))])
        ),
    ],
)
def test_what_decides_the_measurement(other: Plan) -> None:
    assert fingerprint(other) != fingerprint()


def test_contents_versions_and_environment_decide_too() -> None:
    changed = [HashedFile("/models/asr-small.bin", 5, "a0"), *FILES[1:]]
    sample = [FILES[0], HashedFile("/samples/phone.wav", 5, "b0")]
    found = {
        fingerprint(),
        fingerprint(files=changed),
        fingerprint(files=sample),
        fingerprint(packages={"pocketsphinx": "5.2"}),
        fingerprint(environment={"MALLOC_ARENA_MAX": "1"}),
    }
    assert len(found) == 5

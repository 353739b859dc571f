"""Hashes of what a measurement depends on, and whose recording a sample is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import record_builders as build

from orchestrator.experiments.storage.file_hashes import HashCache, HashedFile, files_of
from orchestrator.experiments.storage.sample_state import sample_state


def counted_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from orchestrator.experiments.storage import file_hashes

    read: list[str] = []
    real = file_hashes.sha256_of

    def seen(path: Path) -> str:
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(file_hashes, "sha256_of", seen)
    return read


def test_big_files_are_read_once_until_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = counted_reads(monkeypatch)
    model, small = tmp_path / "model.bin", tmp_path / "small.txt"
    model.write_bytes(b"m" * 100)
    small.write_bytes(b"s")
    paths = [str(model), str(small)]

    def hashed() -> list[HashedFile]:
        read.clear()
        return HashCache(tmp_path / ".hashes.json", big_bytes=50).hash_files(paths)

    first = hashed()
    assert read == ["model.bin", "small.txt"]
    assert [file.size_bytes for file in first] == [100, 1]
    assert hashed() == first
    assert read == ["small.txt"]
    os.utime(model, ns=(1, 1))
    assert hashed() == first
    assert read == ["model.bin", "small.txt"]
    model.write_bytes(b"n" * 100)
    assert hashed() != first
    (tmp_path / ".hashes.json").write_bytes(b"{")
    hashed()
    assert read == ["model.bin", "small.txt"]


def test_missing_files_and_pipes_are_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cache = HashCache(tmp_path / ".hashes.json")
    assert cache.hash_files([str(tmp_path / "none"), str(tmp_path / "pipe")]) == []


def test_a_folder_of_files_has_a_hash_of_its_own(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    (model / "a.bin").write_bytes(b"one")
    (model / "sub" / "b.bin").write_bytes(b"two")
    cache = HashCache(tmp_path / ".hashes.json")
    (before,) = cache.hash_files([str(model)])
    assert before.size_bytes == 6
    (model / "sub" / "b.bin").rename(model / "sub" / "c.bin")
    (after,) = cache.hash_files([str(model)])
    assert after.sha256 != before.sha256


def test_hashes_that_cannot_be_remembered_cost_time_only(tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(b"m")
    assert len(HashCache(tmp_path / "gone" / ".hashes.json", big_bytes=1).hash_files([str(model)])) == 1


def test_files_of_a_plan() -> None:
    plan = build.plan(build.chain("recreate"), build.experiment("recreate"))
    assert files_of(plan) == [
        "/study/experiments.toml",
        "/models/asr-small.bin",
        "/samples/jfk.wav",
        "/samples/jfk.txt",
        "/models/aligner.bin",
        "/samples/phone.wav",
        "/samples/phone.txt",
    ]


SHIPPED = Path(__file__).parents[2] / "samples"


def test_our_own_samples_are_as_shipped() -> None:
    (shipped,) = HashCache(Path("/nonexistent")).hash_files([str(SHIPPED / "jfk.wav")])
    assert sample_state(SHIPPED / "jfk.wav", shipped.sha256) == "as shipped"
    assert sample_state(SHIPPED / "jfk.wav", "0" * 64) == "modified sample"
    assert sample_state(SHIPPED / "mine.wav", shipped.sha256) == "user's own"


@pytest.mark.parametrize("listing", [None, b"", b"[]", b'{"samples": 3}', b"\xff"])
def test_without_a_list_it_is_the_users_own(tmp_path: Path, listing: bytes | None) -> None:
    if listing is not None:
        (tmp_path / "samples.json").write_bytes(listing)
    assert sample_state(tmp_path / "jfk.wav", "ab") == "user's own"

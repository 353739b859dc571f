"""The folder of converted copies: private, bounded, swept."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.audio.cache import (
    AGE_VARIABLE,
    SIZE_VARIABLE,
    make_private,
    private_folder,
    prune,
    sweep,
)

NOW_S = 2_000_000_000.0
DAY_S = 86_400.0


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def copy(folder: Path, name: str, *, size: int, days_ago: float) -> Path:
    path = folder / name
    path.write_bytes(bytes(size))
    os.utime(path, (NOW_S - days_ago * DAY_S,) * 2)
    return path


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folders_are_for_their_owner_alone_also_those_that_were_there(tmp_path: Path) -> None:
    make_private(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700
    (tmp_path / "open").mkdir(mode=0o755)
    make_private(tmp_path / "open")
    assert mode(tmp_path / "open") == 0o700


def test_a_folder_that_many_share_on_purpose_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    make_private(tmp_path / "shared")
    assert mode(tmp_path / "shared") == 0o1777


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        make_private(tmp_path / "file")


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    copy(tmp_path, "old.wav", size=10, days_ago=31)
    copy(tmp_path, "old.json", size=10, days_ago=31)
    copy(tmp_path, "new.wav", size=10, days_ago=29)
    copy(tmp_path, "notes.txt", size=10, days_ago=400)  # none of ours
    prune(tmp_path, NOW_S)
    assert left(tmp_path) == ["new.wav", "notes.txt"]


def test_what_was_used_longest_ago_goes_first_and_what_is_in_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, days_ago in enumerate((5, 4, 3, 2, 0.01)):
        copy(tmp_path, f"{number}.wav", size=100, days_ago=days_ago)
    monkeypatch.setenv(SIZE_VARIABLE, "250")
    prune(tmp_path, NOW_S)
    assert left(tmp_path) == ["3.wav", "4.wav"]
    monkeypatch.setenv(SIZE_VARIABLE, "0")
    prune(tmp_path, NOW_S)
    assert left(tmp_path) == ["4.wav"]


@pytest.mark.parametrize("said", ["many", "-1", "nan", ""])
def test_a_bound_that_is_none_leaves_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    copy(tmp_path, "a.wav", size=100, days_ago=29)
    monkeypatch.setenv(SIZE_VARIABLE, said)
    monkeypatch.setenv(AGE_VARIABLE, said)
    prune(tmp_path, NOW_S)
    assert left(tmp_path) == ["a.wav"]


def test_links_are_not_followed_and_not_counted(tmp_path: Path) -> None:
    outside = copy(tmp_path, "outside", size=10, days_ago=100)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "a.wav").symlink_to(outside)
    prune(tmp_path / "cache", NOW_S)
    assert outside.exists()


def test_a_folder_in_work_stays_and_one_that_was_left_goes(tmp_path: Path) -> None:
    killed = [sys.executable, "-c", _KILLED, str(tmp_path)]
    assert subprocess.run(killed, timeout=60).returncode == -9
    assert len(left(tmp_path)) == 1
    with private_folder(tmp_path) as here:
        assert mode(here) == 0o700
        sweep(tmp_path)
        assert left(tmp_path) == [here.name]
    assert left(tmp_path) == []
    sweep(tmp_path / "none")


_KILLED = """
import os, sys
from pathlib import Path
from orchestrator.audio.cache import private_folder
with private_folder(Path(sys.argv[1])):
    os.kill(os.getpid(), 9)
"""


def test_a_link_in_the_place_of_what_was_left_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a").touch()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".converting-x").symlink_to(tmp_path / "precious")
    sweep(tmp_path / "cache")
    assert (tmp_path / "precious" / "a").exists()


def test_the_lock_is_the_folders_own(tmp_path: Path) -> None:
    with private_folder(tmp_path) as here:
        descriptor = os.open(here, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)

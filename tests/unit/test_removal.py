"""What a worker leaves is removed, whatever it is, and nothing that it links to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.process.sandbox.removal import drain, remove_folder, remove_soon

DEEP = 3000
"""Far beyond the depth of Python's calls, and beyond the longest path that the system takes."""


def deep_folder(place: Path, depth: int = DEEP) -> None:
    """Make folders in folders, each with a file, as no path could name them."""
    at = os.open(place, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.mkdir("in", dir_fd=at)
        inner = os.open("in", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)


def test_all_of_it_goes_and_nothing_else(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "sub").mkdir(parents=True)
    (kept / "file").write_text("kept")
    left = tmp_path / "left"
    for number in range(300):
        (left / f"{number}" / "a" / "b").mkdir(parents=True)
        (left / f"{number}" / "file").touch()
    deep_folder(left)
    (left / "link").symlink_to(kept)
    (left / "0" / "link").symlink_to(kept / "file")
    (left / "dangling").symlink_to("/no/such/file")
    os.mkfifo(left / "0" / "fifo")
    (left / "\udcff".encode(errors="surrogateescape").decode(errors="surrogateescape")).touch()
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert remove_folder(str(left))
    assert not left.exists()
    assert (kept / "file").read_text() == "kept"
    assert (kept / "sub").is_dir()
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="folders are opened again by /proc/self/fd")
def test_folders_that_nobody_may_open_go_too(tmp_path: Path) -> None:
    left = tmp_path / "left"
    (left / "outer" / "inner" / "most").mkdir(parents=True)
    for path in (left / "outer" / "inner", left / "outer", left):
        path.chmod(0)
    assert remove_folder(str(left))
    assert not left.exists()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    assert not remove_folder(str(tmp_path / "link"))
    assert (tmp_path / "kept" / "file").exists()


def test_one_that_is_gone_is_gone(tmp_path: Path) -> None:
    assert remove_folder(str(tmp_path / "none"))


def test_so_many_entries_and_no_more(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    for number in range(10):
        (left / f"{number}").touch()
    assert not remove_folder(str(left), 4)
    assert len(list(left.iterdir())) == 6
    assert remove_folder(str(left), 6)
    assert not left.exists()


@pytest.mark.parametrize("number", [3, 500])
def test_little_goes_at_once_and_much_by_a_thread_that_ends(number: int, tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    for each in range(number):
        (left / f"{each}").touch()
    told: list[bool] = []
    remove_soon(str(left), lambda: told.append(left.exists()))
    drain()
    assert told == [False]


def test_what_a_fork_was_to_remove_its_maker_does(tmp_path: Path) -> None:
    """The thread is not in the fork; waiting for it there must not wait for ever."""
    left = tmp_path / "left"
    left.mkdir()
    for each in range(500):
        (left / f"{each}").touch()
    remove_soon(str(left), lambda: None)
    child = os.fork()
    if child == 0:
        drain()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    drain()
    assert not left.exists()

"""Which library a variant preloads: where it is looked for, and what is said when it cannot be used."""

from pathlib import Path

import pytest

from orchestrator.experiments.running.allocators import (
    PRELOAD,
    REMEDIES,
    AllocatorError,
    find_allocator,
    library_folders,
    preloaded,
)


def library(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.touch()
    return path


def test_the_first_folder_that_has_it_counts(tmp_path: Path) -> None:
    folders = [tmp_path / "empty", tmp_path / "first", tmp_path / "second"]
    library(folders[2], "libjemalloc.so.2")
    found = library(folders[1], "libjemalloc.so.2")
    library(folders[1], "libmimalloc.so.2.0")
    assert find_allocator("jemalloc", {}, folders) == found


def test_the_shortest_name_counts(tmp_path: Path) -> None:
    library(tmp_path, "libmimalloc.so.2.0")
    short = library(tmp_path, "libmimalloc.so.2")
    assert find_allocator("mimalloc", {}, [tmp_path]) == short


@pytest.mark.parametrize("name", sorted(REMEDIES))
def test_what_is_not_installed_comes_with_its_command(name: str, tmp_path: Path) -> None:
    with pytest.raises(AllocatorError, match="is not installed") as caught:
        find_allocator(name, {}, [tmp_path])
    assert caught.value.how_to_get_it.startswith("apt-get install lib")
    assert f"{name.upper()}_LIB" in caught.value.how_to_get_it


def test_a_variable_says_where_it_is(tmp_path: Path) -> None:
    found = library(tmp_path, "my.so")
    assert find_allocator("jemalloc", {"JEMALLOC_LIB": str(found)}, []) == found
    with pytest.raises(AllocatorError, match="JEMALLOC_LIB") as caught:
        find_allocator("jemalloc", {"JEMALLOC_LIB": str(tmp_path / "gone.so")}, [])
    assert caught.value.how_to_get_it == "correct JEMALLOC_LIB"


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    found = library(tmp_path, "mine.so")
    assert find_allocator(str(found), {}, []) == found
    with pytest.raises(AllocatorError, match="is not there"):
        find_allocator(str(tmp_path / "gone.so"), {}, [])


@pytest.mark.parametrize("name", ["with space", "with:colon"])
def test_a_path_at_which_the_list_would_be_cut_is_refused(name: str, tmp_path: Path) -> None:
    found = library(tmp_path / name, "mine.so")
    with pytest.raises(AllocatorError, match="a space or a colon"):
        find_allocator(str(found), {}, [])


def test_it_goes_before_what_is_preloaded_already() -> None:
    assert preloaded(Path("/a.so"), {"X": "1"}) == {"X": "1", PRELOAD: "/a.so"}
    assert preloaded(Path("/a.so"), {PRELOAD: "/b.so"}) == {PRELOAD: "/a.so:/b.so"}


def test_the_folders_of_the_system_are_absolute() -> None:
    assert library_folders()
    assert all(folder.is_absolute() for folder in library_folders())

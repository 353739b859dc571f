"""Descriptors are noted in the step in which they are opened, and closed in the one in which they are forgotten."""

import os
from pathlib import Path

import pytest

from orchestrator.process.sampling.resident import ResidentReader
from orchestrator.process.uninterrupted import OwnDescriptor, close_all, open_into, read_small


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_what_was_opened_is_noted_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"abc")
    opened: list[int] = []
    open_into(opened, str(path), os.O_RDONLY)
    open_into(opened, str(path), os.O_RDONLY)
    first, second = opened
    assert os.read(first, 9) == os.read(second, 9) == b"abc"
    assert not os.get_inheritable(first)
    close_all(opened)
    assert opened == []
    assert not is_open(first)
    assert not is_open(second)
    close_all(opened)


def test_what_cannot_be_opened_is_not_noted(tmp_path: Path) -> None:
    opened: list[int] = []
    with pytest.raises(FileNotFoundError):
        open_into(opened, str(tmp_path / "none"), os.O_RDONLY)
    assert opened == []


def test_one_that_cannot_be_closed_is_forgotten_and_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.touch()
    opened: list[int] = []
    open_into(opened, str(path), os.O_RDONLY)
    os.close(opened[0])
    with pytest.raises(OSError, match="Bad file descriptor"):
        close_all(opened)
    assert opened == []


def test_a_small_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(bytes(range(256)) * 1024)
    assert read_small(str(path)) == bytes(range(256)) * 1024
    with pytest.raises(FileNotFoundError):
        read_small(str(tmp_path / "none"))


def test_a_reader_that_nobody_kept_closes_what_it_opened() -> None:
    reader = ResidentReader(os.getpid())
    assert reader.read()[0] > 0
    descriptor = reader._number
    del reader
    assert not is_open(descriptor)


def test_an_own_descriptor_is_closed_once_and_never_one_that_has_its_number_since(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.touch()
    own = OwnDescriptor()
    assert not own
    own.open(os.open, str(path), os.O_RDONLY)
    assert own
    number = own.number
    own.close()
    assert not is_open(number)
    with pytest.raises(ValueError, match="is closed"):
        own.number  # noqa: B018
    other = os.open(path, os.O_RDONLY)
    os.dup2(other, number)
    own.close()
    del own
    assert is_open(number)
    os.close(number)
    if other != number:
        os.close(other)


def test_an_own_descriptor_is_closed_with_the_last_reference(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.touch()
    own = OwnDescriptor()
    own.open(os.open, str(path), os.O_RDONLY)
    number = own.number
    second = own
    del own
    assert is_open(number)
    del second
    assert not is_open(number)


def test_what_cannot_be_opened_is_not_owned(tmp_path: Path) -> None:
    own = OwnDescriptor()
    with pytest.raises(FileNotFoundError):
        own.open(os.open, str(tmp_path / "none"), os.O_RDONLY)
    assert not own
    own.close()

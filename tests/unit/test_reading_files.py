"""What stands in the place of a file: only a regular one is read, and nobody waits for a writer unless told to."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.files.reading import open_regular, read_named, read_regular

pytestmark = pytest.mark.timeout(60, method="signal")


def open_descriptors() -> int:
    """Return how many there are, where the system says so."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def link(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_bytes(b"somebody else's")
    path.symlink_to(elsewhere)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


STAND_INS: dict[str, tuple[Callable[[Path], None], int]] = {
    "a link": (link, errno.ELOOP),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), errno.ELOOP),
    "a folder": (Path.mkdir, errno.EISDIR),
    "a pipe": (os.mkfifo, errno.EINVAL),
    "a socket": (a_socket, errno.ENXIO),
    "a device": (lambda path: path.symlink_to("/dev/null"), errno.ELOOP),
    "nothing": (lambda path: None, errno.ENOENT),
}


@pytest.mark.parametrize("name", STAND_INS)
def test_what_is_no_regular_file_is_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, number = STAND_INS[name]
    monkeypatch.chdir(tmp_path)  # the name of a socket has no room for a long path
    make(Path("file"))
    opened = open_descriptors()
    with pytest.raises(OSError) as raised:
        read_regular(Path("file"))
    assert raised.value.errno == number
    assert raised.value.filename == "file"
    assert open_descriptors() == opened


def test_a_regular_file_is_read_whole_or_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert read_regular(path) == b"content"
    assert read_regular(path, most_bytes=4) == b"cont"


def test_a_link_is_followed_where_that_is_asked_for_and_a_device_behind_it_is_refused(tmp_path: Path) -> None:
    path, device = tmp_path / "file", tmp_path / "device"
    link(path)
    device.symlink_to("/dev/zero")
    assert read_regular(path, follow=True) == b"somebody else's"
    with pytest.raises(OSError, match="no regular file") as raised:
        read_regular(device, follow=True)
    assert raised.value.errno == errno.EINVAL


def test_a_file_for_writing_is_made_and_no_link_is_written_through(tmp_path: Path) -> None:
    descriptor = open_regular(tmp_path / "new", os.O_RDWR | os.O_CREAT, 0o600)
    os.close(descriptor)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    link(tmp_path / "file")
    with pytest.raises(OSError, match="it is a link"):
        open_regular(tmp_path / "file", os.O_RDWR | os.O_CREAT)


def test_a_pipe_that_a_user_names_is_read_to_its_end(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    content = b"x" * 200_000  # more than a pipe holds

    def write() -> None:
        with open(writer, "wb") as file:
            file.write(content)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert read_named(Path(f"/dev/fd/{reader}")) == content
    finally:
        os.close(reader)
        writing.join()


def test_a_named_pipe_is_waited_for_as_every_program_does(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reading = threading.Thread(target=lambda: read.append(read_named(path)))
    reading.start()
    with open(path, "wb") as writing:  # opens once the reader is there
        writing.write(b"content")
    reading.join()
    assert read == [b"content"]


def test_a_named_pipe_that_nobody_writes_to_is_empty_to_who_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_named(tmp_path / "pipe", waits=False) == b""


def test_a_folder_in_the_place_of_a_file_keeps_no_descriptor(tmp_path: Path) -> None:
    before = open_descriptors()
    for _ in range(3):
        for waits in (True, False):
            with pytest.raises(IsADirectoryError):
                read_named(tmp_path, waits=waits)
    assert open_descriptors() == before

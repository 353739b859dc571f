"""The WAV file that workers read: 16 kHz mono 16-bit, written block by block, of any length.

The sizes of a WAV header have 32 bits. Room is kept for the 64-bit ones of RF64 (EBU Tech 3306), and used when the
sound has become that long, after 37 hours. The sound is written by a decoder that is not trusted, the header by us:
whatever the sound is, what the file claims is true.
"""

from __future__ import annotations

import os
import shutil
import struct
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.errors import AudioError

SAMPLE_RATE_HZ = 16_000
SAMPLE_BYTES = 2
HEADER_BYTES = 80
_LONGEST_RIFF = 0xFFFFFFFF - HEADER_BYTES
_LOOK_EVERY_BYTES = 64 << 20
_RESERVE_BYTES = 256 << 20
_RESERVE_SHARE = 0.02


class PcmFile:
    """The sound in an open file, which is emptied. A context manager; the header is zeros until :func:`write_header`.

    Raises:
        OSError: It cannot be written; ENOSPC also when the file system would be left all but full.
    """

    def __init__(self, descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        self._descriptor = descriptor
        self._file = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - closed in __exit__
        self._file.write(bytes(HEADER_BYTES))
        self.samples = 0
        self._looked_at = 0
        self.refuse_without_room(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, samples: bytes) -> None:
        """Add samples."""
        self._file.write(samples)
        self.samples += len(samples) // SAMPLE_BYTES
        if self.samples * SAMPLE_BYTES - self._looked_at >= _LOOK_EVERY_BYTES:
            self._looked_at = self.samples * SAMPLE_BYTES
            self.refuse_without_room(0)

    def refuse_without_room(self, more_samples: int) -> None:
        """Raise ENOSPC when so many more samples would leave the file system all but full."""
        disk = os.fstatvfs(self._descriptor)
        free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        if total and free - more_samples * SAMPLE_BYTES < _reserve(total):  # some file systems know no size
            raise OSError(ENOSPC, os.strerror(ENOSPC))

    def finish(self) -> None:
        """See that all is written."""
        self._file.flush()


@dataclass(frozen=True, slots=True)
class Pcm:
    """``samples`` of 16 kHz mono 16-bit sound that begin at byte ``start`` of a file: bytes, whatever they are."""

    path: str
    start: int
    samples: int

    def read(self, first: int, last: int) -> bytes:
        """Return the samples from ``first`` to ``last`` (excluded; at most those there are), little-endian.

        Raises:
            AudioError: They cannot be read, or are no longer there.
        """
        wanted = SAMPLE_BYTES * (min(last, self.samples) - first)
        try:
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self.start + SAMPLE_BYTES * first)
                found = bytearray()
                while len(found) < wanted and (more := file.read(wanted - len(found))):
                    found += more
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
            raise AudioError(self.path, problem, "take another copy of it") from error
        if len(found) < wanted:
            raise AudioError(
                self.path, "has become shorter while it was read", "give it again when it is whole"
            )
        return bytes(found)


def new_file(path: Path) -> int:
    """Return a descriptor of a new file, private to its owner.

    Raises:
        OSError: It cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def write_header(descriptor: int, samples: int) -> None:
    """Put the header before so many samples."""
    os.pwrite(descriptor, pcm_header(samples), 0)


def is_whole(path: Path, samples: int) -> bool:
    """Whether a file is one of ours with so many samples: by its size and our header, byte by byte.

    Raises:
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        return size == HEADER_BYTES + samples * SAMPLE_BYTES and os.pread(
            descriptor, HEADER_BYTES, 0
        ) == pcm_header(samples)
    finally:
        os.close(descriptor)


def room_in(folder: Path) -> int:
    """Return how many bytes may be written in a folder, or where it is to be, before its disk is all but full."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    disk = shutil.disk_usage(folder)
    return disk.free - _reserve(disk.total)


def _reserve(total: int) -> int:
    return min(_RESERVE_BYTES, int(total * _RESERVE_SHARE))


def pcm_header(samples: int) -> bytes:
    """Return the 80 bytes before so many samples."""
    length = samples * SAMPLE_BYTES
    long = length > _LONGEST_RIFF
    if long:
        head = struct.pack(
            "<4sI4s4sIQQQI", b"RF64", 0xFFFFFFFF, b"WAVE", b"ds64", 28, length + 72, length, samples, 0
        )
    else:
        head = struct.pack("<4sI4s4sI28x", b"RIFF", length + 72, b"WAVE", b"JUNK", 28)
    rate = SAMPLE_RATE_HZ
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES
    )
    return head + form + struct.pack("<4sI", b"data", 0xFFFFFFFF if long else length)

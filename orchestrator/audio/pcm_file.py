"""The WAV file that workers read: 16 kHz mono 16-bit, written block by block, of any length.

The sizes of a WAV header have 32 bits. Room is kept for the 64-bit ones of RF64 (EBU Tech 3306), and used when the
sound has become that long, after 37 hours.
"""

from __future__ import annotations

import os
import shutil
import struct
from errno import ENOSPC
from pathlib import Path
from types import TracebackType
from typing import Self

SAMPLE_RATE_HZ = 16_000
SAMPLE_BYTES = 2
_HEADER_BYTES = 80
_LONGEST_RIFF = 0xFFFFFFFF - _HEADER_BYTES
_LOOK_EVERY_BYTES = 64 << 20
_RESERVE_BYTES = 256 << 20
_RESERVE_SHARE = 0.02


class PcmFile:
    """A new file, private to its owner. A context manager; the header is complete only after :meth:`finish`.

    Raises:
        OSError: It cannot be written; ENOSPC also when the file system would be left all but full.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._path = path
        self._file = open(os.open(path, flags, 0o600), "wb")  # noqa: SIM115 - closed in __exit__
        self._file.write(bytes(_HEADER_BYTES))
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
        disk = shutil.disk_usage(self._path.parent)
        reserve = min(_RESERVE_BYTES, int(disk.total * _RESERVE_SHARE))
        if disk.free - more_samples * SAMPLE_BYTES < reserve:
            raise OSError(ENOSPC, os.strerror(ENOSPC), str(self._path))

    def finish(self) -> None:
        """Write the header."""
        self._file.flush()
        self._file.seek(0)
        self._file.write(pcm_header(self.samples))
        self._file.flush()


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

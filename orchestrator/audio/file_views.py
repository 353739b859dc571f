"""A part of an open file as a file of its own, with another header if need be: what a decoder reads of joined files."""

from __future__ import annotations

import io
import mmap
import os
import struct
from collections.abc import Callable

from orchestrator.audio.wav_header import FLOAT, PCM, WavPart

_LONGEST_RIFF = 0xFFFFFF00
_FLAC = b"fLaC\x00\x00\x00\x22"
_OGG_FIRST_PAGE = b"OggS\x00\x02"
_OGG_PAGE_BYTES = 65_400
"""More than the longest page and the beginning of the next."""
_MP3_COUNTS = (b"Xing", b"Info")
_MP3_COUNTS_AT = (36, 21, 13)
"""Bytes from the frame's start to its count of frames: MPEG 1 stereo; MPEG 1 mono and 2 stereo; MPEG 2 mono."""
_MOST_JOINED = 10_000


class FileView(io.RawIOBase):
    """``header``, then ``length`` bytes of the descriptor from ``start`` on. The descriptor stays where it is."""

    def __init__(self, descriptor: int, start: int, length: int, header: bytes = b"") -> None:
        super().__init__()
        self._descriptor = descriptor
        self._start = start
        self._header = header
        self._size = len(header) + length
        self._position = 0

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether one can seek in it: yes."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a position and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Read what fits."""
        wanted = min(len(buffer), max(0, self._size - self._position))
        if self._position < len(self._header):
            read = self._header[self._position : self._position + wanted]
        else:
            read = os.pread(self._descriptor, wanted, self._start + self._position - len(self._header))
        buffer[: len(read)] = read
        self._position += len(read)
        return len(read)


def view_of(descriptor: int, part: WavPart) -> FileView:
    """Return a part of a WAV file under a header that is true of it."""
    length = part.length
    if part.format_tag in {PCM, FLOAT} and part.frame_bytes:
        length -= length % part.frame_bytes
    chunk = _corrected(part)
    fmt = struct.pack("<4sI", b"fmt ", len(chunk)) + chunk + b"\0" * (len(chunk) % 2)
    if length < _LONGEST_RIFF:
        head = struct.pack("<4sI4s", b"RIFF", length + len(fmt) + 12, b"WAVE")
        return FileView(descriptor, part.start, length, head + fmt + struct.pack("<4sI", b"data", length))
    long = struct.pack("<4sIQQQI", b"ds64", 28, length + len(fmt) + 48, length, part.frames, 0)
    head = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + long
    return FileView(descriptor, part.start, length, head + fmt + struct.pack("<4sI", b"data", 0xFFFFFFFF))


def _corrected(part: WavPart) -> bytes:
    """Return the format chunk with the sizes that follow from its other numbers."""
    if part.format_tag not in {PCM, FLOAT}:
        return part.chunk
    sizes = struct.pack(
        "<IH", min(0xFFFFFFFF, part.rate_hz * part.frame_bytes), min(0xFFFF, part.frame_bytes)
    )
    return part.chunk[:8] + sizes + part.chunk[14:]


def has_several_tracks(descriptor: int) -> bool:
    """Whether this is an Ogg file of several tracks at a time: their first pages stand side by side."""
    first = os.pread(descriptor, _OGG_PAGE_BYTES, 0)
    if first[:6] != _OGG_FIRST_PAGE or len(first) < 27:
        return False
    end = 27 + first[26] + sum(first[27 : 27 + first[26]])
    return first[end : end + 6] == _OGG_FIRST_PAGE


def joined_views(descriptor: int) -> list[FileView]:
    """Return the files that were joined to one FLAC, Ogg or MP3 file, in order; none when it is one, or no such file.

    libsndfile reads the first of them and says nothing of the others.
    """
    size = os.fstat(descriptor).st_size
    starts = _starts(descriptor)
    if len(starts) < 2:
        return []
    return [FileView(descriptor, at, end - at) for at, end in zip(starts, [*starts[1:], size], strict=True)]


def _starts(descriptor: int) -> list[int]:
    kind = os.pread(descriptor, 4, 0)
    if kind == b"fLaC":
        return _found(
            descriptor, _FLAC, lambda content, at: at if content[at + 8 : at + 10] != b"\0\0" else None
        )
    if kind == b"OggS":
        return _found(
            descriptor,
            _OGG_FIRST_PAGE,
            lambda content, at: at if content[at + 6 : at + 14] == bytes(8) else None,
        )
    if kind[:3] == b"ID3" or (len(kind) == 4 and kind[0] == 0xFF and kind[1] >= 0xE0):
        starts = {start for words in _MP3_COUNTS for start in _found(descriptor, words, _first_mp3_frame)}
        return [0, *sorted(starts)[1:]]
    return []


def _first_mp3_frame(content: mmap.mmap, at: int) -> int | None:
    """Return where the frame begins that counts the frames of an MP3 file: the first of each file has its number."""
    for before in _MP3_COUNTS_AT:
        if at >= before and content[at - before] == 0xFF and content[at - before + 1] >= 0xE2:
            return at - before
    return None


def _found(descriptor: int, words: bytes, begin: Callable[[mmap.mmap, int], int | None]) -> list[int]:
    found: list[int] = []
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as content:
        at = content.find(words)
        while at >= 0 and len(found) < _MOST_JOINED:
            start = begin(content, at)
            found += [] if start is None else [start]
            at = content.find(words, at + 1)
    return found

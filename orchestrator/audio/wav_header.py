"""What a RIFF/WAVE file claims about itself, and whether the file holds it. Reads the header only."""

from __future__ import annotations

import os
import struct

import msgspec

PCM = 1
_UNTOLD = frozenset({0xFFFFFFFF, 0x7FFFFFFF})
"""Sizes that stand for "not known when the header was written", as in a stream."""


class WavHeader(msgspec.Struct, frozen=True):
    """``frames_claimed`` is None when the header tells no length; ``frames_held`` is what is there."""

    format_tag: int
    channels: int
    rate_hz: int
    bits: int
    frames_claimed: int | None
    frames_held: int


def read_wav_header(descriptor: int) -> WavHeader | None:
    """Return the header of an open file, or None when it is no (little-endian, 32-bit) RIFF/WAVE file.

    A file whose chunks cannot be followed counts as none: soundfile then says what is wrong with it. The
    descriptor's position is left alone.
    """
    start = os.pread(descriptor, 12, 0)
    if len(start) < 12 or start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        return None
    file_size = os.fstat(descriptor).st_size
    format_fields: tuple[int, int, int, int, int, int] | None = None
    position = 12
    while len(chunk := os.pread(descriptor, 8, position)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        position += 8
        if name == b"fmt ":
            raw = os.pread(descriptor, 16, position)
            format_fields = struct.unpack("<HHIIHH", raw) if len(raw) == 16 else None
        elif name == b"data":
            return _header(format_fields, size, file_size - position)
        position += size + size % 2  # chunks are padded to even sizes
    return None


def _header(
    fields: tuple[int, int, int, int, int, int] | None, data_bytes: int, held_bytes: int
) -> WavHeader | None:
    if fields is None:
        return None
    tag, channels, rate_hz, _, frame_bytes, bits = fields
    if frame_bytes == 0:
        return None
    told = data_bytes not in _UNTOLD
    held_frames = (min(data_bytes, held_bytes) if told else held_bytes) // frame_bytes
    return WavHeader(tag, channels, rate_hz, bits, data_bytes // frame_bytes if told else None, held_frames)

"""What a RIFF/WAVE file claims about itself, and where its sound really lies. Reads headers only.

Programs that write into a pipe cannot come back to fill in the length, programs that are killed do not, and
files are joined by ``cat``: a header may claim nothing, too little, or nothing that can be true, while the
sound is all there. So the file is walked chunk by chunk, and what lies behind the claimed end is looked at.
"""

from __future__ import annotations

import mmap
import os
import struct

import msgspec

PCM = 1
FLOAT = 3
EXTENSIBLE = 0xFFFE
_UNTOLD_FROM = 0x7FFF0000
"""Sizes from here on stand for "not known when the header was written", as in a stream, if the file is shorter."""
_FEW_BYTES = 1024
"""Less than this behind the claimed end is a tag, or padding, and no sound."""
_LONGEST_FORMAT = 4096
_MOST_PARTS = 10_000
_HEADER_WORDS = b"WAVEfmt "
_FAMILY = (b"RIFF", b"RF64", b"BW64")
_NAMES = (
    "LIST id3  ID3  bext cue  smpl fact PEAK iXML aXML _PMX JUNK junk FLLR PAD  afsp DISP chna cart levl umid "
    "inst plst note labl ltxt acid strc fmt "
)
_AFTERWARDS = frozenset(_NAMES[at : at + 4].encode() for at in range(0, len(_NAMES), 5))
"""Names of chunks that may follow the sound, even with a size that is wrong."""


class WavPart(msgspec.Struct, frozen=True):
    """Sound of one format: ``length`` bytes from ``start`` on. ``chunk`` is its whole format chunk's content."""

    chunk: bytes
    start: int
    length: int

    @property
    def format_tag(self) -> int:
        """The code of the encoding; that of the sub-format where the format is extensible."""
        tag = int.from_bytes(self.chunk[:2], "little")
        return int.from_bytes(self.chunk[24:26], "little") if tag == EXTENSIBLE else tag

    @property
    def channels(self) -> int:
        """As the header has it."""
        return int.from_bytes(self.chunk[2:4], "little")

    @property
    def rate_hz(self) -> int:
        """As the header has it."""
        return int.from_bytes(self.chunk[4:8], "little")

    @property
    def bits(self) -> int:
        """Of a sample."""
        return int.from_bytes(self.chunk[14:16], "little")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels; of a compressed format, of one block."""
        told = int.from_bytes(self.chunk[12:14], "little")
        return (self.channels * ((self.bits + 7) // 8)) if self.format_tag in {PCM, FLOAT} else told

    @property
    def frames(self) -> int:
        """Whole frames (or blocks) that are there."""
        return self.length // self.frame_bytes if self.frame_bytes else 0


class WavFile(msgspec.Struct, frozen=True):
    """``parts`` in order. ``frames_claimed`` is None where the header tells no length.

    ``plain``: any reader finds the same in it. ``remark`` is for people, empty for a plain file.
    """

    parts: list[WavPart]
    frames_claimed: int | None
    plain: bool
    remark: str = ""


def read_wav(descriptor: int) -> WavFile | None:
    """Return where the sound of an open file lies, or None when it is no little-endian RIFF/WAVE file with sound.

    The descriptor's position is left alone.
    """
    size = os.fstat(descriptor).st_size
    if not _begins(descriptor, 0):
        return None
    parts: list[WavPart] = []
    told: list[_Walked] = []
    start = 0
    while start < size and len(parts) < _MOST_PARTS and _begins(descriptor, start):
        walked = _walk(descriptor, start, size)
        if walked.part is None:
            break
        told.append(walked)
        parts.append(walked.part)
        start = walked.end
    if not parts:
        return None
    return _file(parts, told)


class _Walked(msgspec.Struct):
    """One RIFF header and what follows it, up to ``end``."""

    part: WavPart | None
    end: int
    claimed: int | None = None
    odd: bool = False
    longer: bool = False


def _file(parts: list[WavPart], told: list[_Walked]) -> WavFile:
    first = told[0]
    claimed = (
        None if first.claimed is None or not parts[0].frame_bytes else first.claimed // parts[0].frame_bytes
    )
    if len(parts) > 1:
        remark = f"{len(parts)} recordings lie in this file one after the other: all are read"
        return WavFile(parts, claimed, plain=False, remark=remark)
    if first.longer:
        remark = "the file holds more sound than its header claims: it is read to its end"
        return WavFile(parts, claimed, plain=False, remark=remark)
    return WavFile(parts, claimed, plain=not first.odd)


def _begins(descriptor: int, at: int) -> bool:
    start = os.pread(descriptor, 12, at)
    return start[:4] in _FAMILY and start[8:12] == b"WAVE"


def _walk(descriptor: int, start: int, size: int) -> _Walked:
    """Follow the chunks from a RIFF header on: to its sound, and to whatever comes behind."""
    (riff_size,) = struct.unpack("<I", os.pread(descriptor, 4, start + 4))
    found = _Walked(None, size)
    chunk = b""
    data: tuple[int, int] | None = None
    long_bytes: int | None = None
    position = start + 12
    while (head := os.pread(descriptor, 8, position)) and len(head) == 8:
        if position > start + 12 and _begins(descriptor, position):
            found.end = position
            break
        name, length = struct.unpack("<4sI", head)
        content = position + 8
        if name == b"ds64":
            long_bytes = int.from_bytes(os.pread(descriptor, 8, content + 8), "little")
        elif name == b"fmt " and not chunk:
            chunk = os.pread(descriptor, min(length, _LONGEST_FORMAT), content)
        elif name == b"data" and data is None:
            if length == 0xFFFFFFFF and long_bytes is not None:
                length = long_bytes
            length = _sound(descriptor, content, length, size, found)
            data = (content, length)
        position = _next_chunk(descriptor, content + length, size, found)
    if data is None or len(chunk) < 16:
        return found
    whole = riff_size + 8 >= data[0] + data[1] - start
    found.odd |= not whole or data[0] < 12 + 8 + len(chunk)
    found.part = WavPart(chunk, *data)
    return found


def _sound(descriptor: int, start: int, told: int, size: int, found: _Walked) -> int:
    """Return the length of the sound that begins at ``start``, and note what is odd about it."""
    held = size - start
    if told >= _UNTOLD_FROM and told > held:
        found.odd = True
        return _up_to_the_next_file(descriptor, start, size) - start
    found.claimed = told
    if told > held:
        return held
    if held - told < _FEW_BYTES or any(
        _chunks_follow(descriptor, start + told + pad, size) for pad in {told % 2, 0}
    ):
        return told
    found.longer = found.odd = True
    if told == 0:
        found.claimed = None
    return _up_to_the_next_file(descriptor, start, size) - start


def _next_chunk(descriptor: int, end: int, size: int, found: _Walked) -> int:
    """Return where the next chunk begins: chunks are padded to even sizes, but not by every program."""
    if end % 2 == 0:
        return end
    name = os.pread(descriptor, 4, end)
    padded = os.pread(descriptor, 4, end + 1)
    unpadded = (name in _AFTERWARDS or name in {*_FAMILY, b"data"}) and padded not in _AFTERWARDS
    if unpadded and end < size:
        found.odd = True
        return end
    return end + 1


def _chunks_follow(descriptor: int, position: int, size: int) -> bool:
    """Whether what lies behind the sound is chunks, or another file, and no sound."""
    while position < size:
        head = os.pread(descriptor, 8, position)
        if len(head) < 8 or _begins(descriptor, position):
            return True
        name, length = struct.unpack("<4sI", head)
        if name in _AFTERWARDS:
            return True
        if not all(32 <= code < 127 for code in name):
            return False
        position += 8 + length + length % 2
    return position <= size + 1


def _up_to_the_next_file(descriptor: int, start: int, size: int) -> int:
    """Return where the next RIFF header stands behind ``start``, or the file's end: such files may be joined, too."""
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as content:
        at = start
        while (at := content.find(_HEADER_WORDS, at)) >= 0:
            if content[at - 8 : at - 4] in _FAMILY:
                return at - 8
            at += 1
    return size

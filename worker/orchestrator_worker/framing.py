"""The bytes of the wire.

A frame is::

    +----------------------+------------------------------+
    | length, 4 bytes, LE  | one msgpack object           |
    +----------------------+------------------------------+
      uint32, 1 … cap        a map with the key "type"

Both sides hold a cap (64 MiB unless told), so a stray byte cannot make either allocate without bound: the
header is distrusted before anything is read for it. :class:`FrameDecoder` takes bytes as they come, in any
cut, and yields whole payloads; it knows nothing of messages.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

HEADER_SIZE = 4
_read_length = struct.Struct("<I").unpack_from
DEFAULT_CAP = 64 * 1024 * 1024
EXCERPT_SIZE = 64
CONTROL_CAP = 1024 * 1024
"""What a reply may have that is neither a result nor text: it is decoded as a whole, whatever is in it."""
LARGEST_INLINE = DEFAULT_CAP - CONTROL_CAP
"""Bytes of a value that go into a frame, beside what else is in it; larger ones go through shared memory."""
_BULK = (b"\xa4type\xa4Done", b"\xa4type\xa5Chunk")
"""How replies of any size begin, behind the byte of their map. They are made of numbers, text and bytes, so decoding
one takes little more than copying it."""


class FramingError(Exception):
    """The bytes are no frame. ``excerpt`` holds the first of them."""

    def __init__(self, problem: str, excerpt: bytes) -> None:
        """Make the text from the problem and the bytes it was found in."""
        super().__init__(f"{problem}; bytes {excerpt[:EXCERPT_SIZE]!r}")
        self.problem = problem
        self.excerpt = excerpt[:EXCERPT_SIZE]


def frame(message: object, encoder: msgspec.msgpack.Encoder, cap: int = DEFAULT_CAP) -> bytes:
    """Return the header and the encoded message in one piece.

    Raises:
        FramingError: The message is longer than ``cap``.
        TypeError: The message holds something msgpack has no form for.
    """
    payload = encoder.encode(message)
    length = len(payload)
    if length > cap:
        raise FramingError(f"message of {length} bytes is over the cap of {cap}", payload[:EXCERPT_SIZE])
    return length.to_bytes(HEADER_SIZE, "little") + payload


def check_size(payload: bytes) -> None:
    """See that a reply is not larger than those of its kind may be.

    Raises:
        FramingError: It is.
    """
    if len(payload) > CONTROL_CAP and not payload.startswith(_BULK, 1):
        raise FramingError(
            f"message of {len(payload)} bytes, and only results and text may have more than {CONTROL_CAP}",
            payload[:EXCERPT_SIZE],
        )


def payload_size(header: bytes | bytearray | memoryview, start: int = 0, cap: int = DEFAULT_CAP) -> int:
    """Return the length that the header at ``start`` announces.

    Raises:
        FramingError: It is 0, or more than ``cap``.
    """
    (length,) = _read_length(header, start)
    if not 0 < length <= cap:
        raise FramingError(
            f"frame header announces {length} bytes, expected 1 to {cap}",
            bytes(header[start : start + EXCERPT_SIZE]),
        )
    return int(length)


class FrameDecoder:
    """Collects bytes and gives back whole payloads, however the bytes were cut."""

    def __init__(self, cap: int = DEFAULT_CAP) -> None:
        """Refuse frames over ``cap`` bytes."""
        self._cap = cap
        self._buffer = bytearray()

    def feed(self, chunk: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Take ``chunk`` and yield every payload that is now whole.

        Raises:
            FramingError: The next header announces 0 bytes or more than the cap.
        """
        # Most chunks are whole frames: those are cut where they lie, and nothing is kept.
        stream: bytes | bytearray = bytes(chunk)
        if self._buffer:
            self._buffer += chunk
            stream = self._buffer
        start, size = 0, len(stream)
        try:
            while size - start >= HEADER_SIZE:
                (length,) = _read_length(stream, start)
                if not 0 < length <= self._cap:
                    payload_size(stream, start, self._cap)  # raises
                end = start + HEADER_SIZE + length
                if size < end:
                    return
                payload = bytes(stream[start + HEADER_SIZE : end])
                start = end
                yield payload
        finally:
            if stream is self._buffer:
                del self._buffer[:start]
            elif start < size:
                self._buffer += stream[start:]

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._buffer)

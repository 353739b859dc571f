"""Keep the last of what a worker printed."""

from __future__ import annotations

KEPT_BYTES = 64 * 1024


class StderrTail:
    """The newest 64 KiB of a byte stream. Megabytes may pass through; memory stays bounded."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept = kept_bytes
        self._buffer = bytearray()
        self.total_bytes = 0

    def add(self, chunk: bytes) -> None:
        """Take the next piece."""
        self.total_bytes += len(chunk)
        self._buffer += chunk
        if len(self._buffer) > 2 * self._kept:
            del self._buffer[: -self._kept]

    @property
    def text(self) -> str:
        """What is kept, decoded with replacement characters."""
        return bytes(self._buffer[-self._kept :]).decode(errors="replace")

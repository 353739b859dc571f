"""A value in shared memory made into objects: what is large in it is read from there into what it becomes.

Reading lets other threads run, as copying a large object out of another would not.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from orchestrator.process.sharing.pieces import Pieces, UnfitError, begin_value
from orchestrator.process.sharing.shared_result import SharedResult
from orchestrator_worker.extension_codes import Code
from orchestrator_worker.values import array_type

PIECE_BYTES: Final = 8 * 1024 * 1024
"""Bytes decoded at a time; a larger leaf is read by itself."""
_BINARY = {0xC4, 0xC5, 0xC6}
_EXTENSIONS = {0xC7, 0xC8, 0xC9}
_LONGEST_HEAD = 16
"""Bytes that announce a leaf are fewer."""
_MOST_ARRAY_HEAD = 4096
"""Bytes that may come before the content of an array: its type and its shape."""
_name = msgspec.msgpack.Decoder(str).decode
_shape = msgspec.msgpack.Decoder(list[int]).decode


def decode_shared(shared: SharedResult) -> Any:
    """Return the value; lets other threads run meanwhile.

    Raises:
        Exception: As msgspec does, and for a value of too many objects.
    """
    begin_value()
    return _SharedPieces(shared).whole()


class _SharedPieces(Pieces):
    """Decodes a value in shared memory: what is large in it is read from there at once, into what it becomes."""

    most_bytes = PIECE_BYTES

    def __init__(self, shared: SharedResult) -> None:
        self._shared = shared
        head = shared.read(0, min(len(shared), _LONGEST_HEAD))
        super().__init__(head)
        kind, size, body = self.head(0)
        if not (kind == "leaf" and size == len(shared) and body < len(head)):
            self.packed = shared.read(0, len(shared))

    def whole(self) -> Any:
        """Return the one value that there is."""
        if len(self.packed) == len(self._shared):
            return super().whole()
        _, size, body = self.head(0)
        return self._leaf(0, size, body)

    def _leaf(self, start: int, size: int, body: int) -> Any:
        marker, end = self.packed[start], start + size
        if end > len(self._shared):
            raise UnfitError("it is cut off")
        if marker in _EXTENSIONS:
            if self.packed[body] != Code.ARRAY:
                raise UnfitError(f"an extension of {size:,} bytes is in it, and only arrays may be large")
            return self._array_in(body + 1, end)
        content = self._shared.read(body, end - body)
        return content if marker in _BINARY else content.decode()

    def _array_in(self, start: int, end: int) -> Any:
        """Return the NumPy array in an extension: its type, its shape, and its bytes, which lie at the end."""
        import numpy as np  # noqa: PLC0415 - only who gets arrays pays for it

        dtype, extent, body = self._array_head(start, end)
        items = math.prod(extent)
        # Before anything is allocated for it.
        if min(extent) < 0 or items * dtype.itemsize != end - body:
            raise UnfitError("an array in it has not as many bytes as its shape says")
        flat = np.empty(items, dtype)
        self._shared.read_into(flat.view("u1").data, body)
        return flat.reshape(extent)

    def _array_head(self, start: int, end: int) -> tuple[Any, list[int], int]:
        """Return type and shape, and where the bytes begin that go on to the end."""
        head = Pieces(self._shared.read(start, min(end - start, _MOST_ARRAY_HEAD)))
        kind, members, name = head.head(0)
        if (kind, members) != ("array", 3):
            raise UnfitError("an array in it has other parts than type, shape and bytes")
        shape, _ = head.skip(name, 1)
        content, _ = head.skip(shape, 1)
        _, size, body = head.head(content)
        if head.packed[content] not in _BINARY or start + content + size != end:
            raise UnfitError("an array in it does not end with its bytes")
        extent = _shape(head.packed[shape:content])
        if not extent:
            raise UnfitError("a large array in it has no shape")
        return array_type(_name(head.packed[name:shape])), extent, start + body

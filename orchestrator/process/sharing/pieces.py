"""A packed value made into objects, piece by piece: what a worker sent is not trusted, and holds up nobody.

What a few bytes can claim is no limit for a hostile or broken worker. So

* large values are decoded piece by piece: msgspec does not let another thread run while it decodes, and a whole large
  value would hold all of them up;
* the number of objects is bounded: each needs up to a hundred times the bytes it came in;
* nesting is bounded by Python itself, at the depth of the caller's stack, and below that by :data:`MOST_NESTED`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import msgspec

from orchestrator_worker.framing import DEFAULT_CAP
from orchestrator_worker.values import reader

LARGE_BYTES: Final = 1024 * 1024
"""Values from here on are decoded in pieces. One of this size takes a tenth of a second, whatever is in it."""
PIECE_OBJECTS: Final = 20_000
"""Objects decoded at a time."""
MOST_OBJECTS: Final = 8_000_000
"""Objects of one result: those of a 64 MiB list of floats. The worst of them need 600 MB."""
MOST_NESTED: Final = 2_000
"""Lists within lists. It binds only where the recursion limit was raised: each level needs C stack."""
_SAFE_RECURSION_LIMIT = 5_000
_SIGNED_SIZES = {0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
_OTHER_SIZES = {0xC0: 1, 0xC2: 1, 0xC3: 1, 0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9}
_NUMBER_SIZES = _OTHER_SIZES | _SIGNED_SIZES
_LENGTH_SIZES = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_EXTENSIONS = {0xC7, 0xC8, 0xC9}
_WORTH_A_STRIDE = 64
_SMALL_NUMBERS = bytes([*range(0x80), *range(0xE0, 0x100)])
_LEAF_SIZES = [0] * 256
"""Of each marker that begins a value of a known size, that size; 0 of the others."""
for _marker in _SMALL_NUMBERS:
    _LEAF_SIZES[_marker] = 1
for _marker in range(0xA0, 0xC0):
    _LEAF_SIZES[_marker] = 1 + (_marker & 0x1F)
for _marker, _size in _NUMBER_SIZES.items():
    _LEAF_SIZES[_marker] = _size
_LEAF_SIZES[0x80] = _LEAF_SIZES[0x90] = 1  # an empty map, an empty array
_containers = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
MOST_EXTENDED: Final = MOST_OBJECTS
"""Bytes that the sets of one result, and its dicts with keys of other kinds, may have in all: each may be an object."""
_extended = threading.local()


def _extended_content(content: memoryview) -> Any:
    """Decode what is in a set; msgspec comes back here from the middle of a value."""
    _extended.bytes = getattr(_extended, "bytes", 0) + len(content)
    if _extended.bytes > MOST_EXTENDED:
        raise UnfitError(f"its sets have more than {MOST_EXTENDED:,} bytes")
    return _decode_part(bytes(content))


_decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(
    ext_hook=reader(imports=False, decode=_extended_content)
).decode


class UnfitError(Exception):
    """The bytes are no value, or too much of one."""


def begin_value() -> None:
    """Count the bytes of sets anew: another value is decoded on this thread."""
    _extended.bytes = 0


def decode_value(packed: bytes) -> Any:
    """Return the value in ``packed``. Lets other threads run meanwhile, however large it is.

    Raises:
        Exception: As msgspec does, and for a value of too many objects.
    """
    begin_value()
    return _decode_part(packed)


def _decode_part(packed: bytes) -> Any:
    if len(packed) < LARGE_BYTES and not _could_overflow_the_stack(packed):
        return _decode(packed)
    return Pieces(packed).whole()


def _could_overflow_the_stack(packed: bytes) -> bool:
    """Whether Python's own check of the depth may come too late: somebody has raised its limit."""
    if sys.getrecursionlimit() <= _SAFE_RECURSION_LIMIT:
        return False
    return len(packed) - len(packed.translate(None, _containers)) > MOST_NESTED


class Pieces:
    """Decodes one large value: small neighbours together, a large one by itself."""

    most_bytes = DEFAULT_CAP
    """Bytes decoded at a time."""

    def __init__(self, packed: bytes) -> None:
        self.packed = packed
        self._objects = 0
        self._looked_at_again = 0

    def whole(self) -> Any:
        """Return the one value that there is."""
        value, end = self.decode(0, 0)
        if end != len(self.packed):
            raise UnfitError("bytes follow behind the value")
        return value

    def decode(self, start: int, depth: int) -> tuple[Any, int]:
        """Return the value that begins at ``start``, and where it ends."""
        end, objects = self.skip(start, depth)
        return (self._piece(start, end, objects, b""), end) if end else self._large(start, depth)

    def _large(self, start: int, depth: int) -> tuple[Any, int]:
        """The same for a value of more objects than a piece."""
        kind, count, body = self.head(start)
        self._count(1)
        if kind == "leaf":
            return self._leaf(start, count, body), start + count
        self._has_room_for(count)
        if kind == "array":
            return self._array(count, body, depth)
        return self._map(count, body, depth)

    def _array(self, count: int, body: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        if stride := self._stride(count, body):
            for first in range(0, count, PIECE_OBJECTS):
                these = min(PIECE_OBJECTS, count - first)
                start = body + first * stride
                head = b"\xdd" + these.to_bytes(4, "big")
                found += self._piece(start, start + these * stride, these, head)
            return found, body + count * stride
        start, position, waiting, objects = body, body, 0, 0
        for _ in range(count):
            if (size := _LEAF_SIZES[self.packed[position]]) and objects < PIECE_OBJECTS:
                position, waiting, objects = position + size, waiting + 1, objects + 1
                continue
            end, more = self.skip(position, depth + 1)
            if not end or objects + more > PIECE_OBJECTS or end - start > self.most_bytes:
                found += self._items(start, position, waiting, objects)
                start, waiting, objects = position, 0, 0
            if end:
                position, waiting, objects = end, waiting + 1, objects + more
            else:
                value, position = self._large(position, depth + 1)
                found.append(value)
                start = position
        found += self._items(start, position, waiting, objects)
        return found, position

    def _leaf(self, start: int, size: int, body: int) -> Any:  # noqa: ARG002 - where its content begins
        """Return a large value that is no collection."""
        return _decode(self.packed[start : start + size])

    def _items(self, start: int, end: int, items: int, objects: int) -> list[Any]:
        if not items:
            return []
        found: list[Any] = self._piece(start, end, objects, b"\xdd" + items.to_bytes(4, "big"))
        return found

    def _map(self, count: int, body: int, depth: int) -> tuple[dict[Any, Any], int]:
        found: dict[Any, Any] = {}
        start, position, waiting, objects = body, body, 0, 0
        for _ in range(count):
            key_end, key_objects = self.skip(position, depth + 1)
            if not key_end:
                raise UnfitError("a key is a large collection")
            end, more = self.skip(key_end, depth + 1)
            more += key_objects
            if not end or objects + more > PIECE_OBJECTS or end - start > self.most_bytes:
                found.update(self._pairs(start, position, waiting, objects))
                start, waiting, objects = position, 0, 0
            if end:
                position, waiting, objects = end, waiting + 1, objects + more
            else:
                key = next(iter(self._pairs(position, key_end, 1, key_objects, b"\xc0")))
                found[key], position = self._large(key_end, depth + 1)
                start = position
        found.update(self._pairs(start, position, waiting, objects))
        return found, position

    def _pairs(self, start: int, end: int, pairs: int, objects: int, tail: bytes = b"") -> dict[Any, Any]:
        if not pairs:
            return {}
        self._count(objects)
        found: dict[Any, Any] = _decode(
            b"".join((b"\xdf", pairs.to_bytes(4, "big"), memoryview(self.packed)[start:end], tail))
        )
        return found

    def _piece(self, start: int, end: int, objects: int, head: bytes) -> Any:
        self._count(objects)
        return _decode(head + self.packed[start:end])

    def _count(self, objects: int) -> None:
        self._has_room_for(objects)
        self._objects += objects

    def _has_room_for(self, objects: int) -> None:
        if self._objects + objects > MOST_OBJECTS:
            raise UnfitError(
                f"it has more than {MOST_OBJECTS:,} objects; return bytes, or write a file and return its path"
            )

    def head(self, at: int) -> tuple[str, int, int]:
        """Return what begins at ``at``: ``array`` or ``map`` with its number of members, or ``leaf`` with its size."""
        packed = self.packed
        marker = packed[at]
        if size := _LEAF_SIZES[marker]:
            return "leaf", size, at + 1
        if marker < 0x90:
            return "map", marker & 0x0F, at + 1
        if marker < 0xA0:
            return "array", marker & 0x0F, at + 1
        if marker >= 0xDC:
            size = 2 if marker in (0xDC, 0xDE) else 4
            body = at + 1 + size
            return "array" if marker < 0xDE else "map", int.from_bytes(packed[at + 1 : body], "big"), body
        if marker in _LENGTH_SIZES:
            body = at + 1 + _LENGTH_SIZES[marker]
            length = int.from_bytes(packed[at + 1 : body], "big")
            return "leaf", body - at + length + (marker in _EXTENSIONS), body
        if marker == 0xC1:
            raise UnfitError("it is no msgpack")
        return "leaf", 2 + (1 << (marker - 0xD4)), at + 1  # fixext

    def skip(self, at: int, depth: int) -> tuple[int, int]:  # noqa: C901 - one loop over what msgpack has
        """Return where the value at ``at`` ends and how many objects it has; (0, 0) for more than a piece."""
        size, first = len(self.packed), at
        objects, open_members = 0, [1]
        while open_members:
            if objects > PIECE_OBJECTS or at - first > self.most_bytes:
                return self._too_large(objects)
            if not open_members[-1]:
                open_members.pop()
                continue
            open_members[-1] -= 1
            if at >= size:
                raise UnfitError("it is cut off")
            if leaf := _LEAF_SIZES[self.packed[at]]:
                at, objects = at + leaf, objects + 1
                continue
            kind, count, body = self.head(at)
            objects += 1
            if kind == "leaf":
                at += count
                continue
            at = body
            if len(open_members) + depth > MOST_NESTED:
                raise RecursionError("nested too deep")
            if count > size - at:
                raise UnfitError("it is cut off")
            if count > MOST_OBJECTS:
                return self._too_large(count)
            stride = self._stride(count, at) if kind == "array" else 0
            if stride:
                at, objects = at + count * stride, objects + count
            else:
                open_members.append(count * 2 if kind == "map" else count)
        if at > size:
            raise UnfitError("it is cut off")
        fits = objects <= PIECE_OBJECTS and at - first <= self.most_bytes
        return (at, objects) if fits else self._too_large(objects)

    def _too_large(self, objects: int) -> tuple[int, int]:
        """Large collections within large collections are looked at once for each level: that is bounded, too."""
        self._looked_at_again += min(objects, PIECE_OBJECTS)
        if self._looked_at_again > 2 * MOST_OBJECTS:
            raise UnfitError("too many large collections lie in each other")
        return 0, 0

    def _stride(self, count: int, body: int) -> int:
        """Return the size of the numbers in an array that has nothing else, all of one size; 0 for any other."""
        if count < _WORTH_A_STRIDE or body >= len(self.packed):
            return 0
        marker = self.packed[body]
        size = _NUMBER_SIZES.get(marker, 0)
        if not size and _LEAF_SIZES[marker] == 1:
            return 0 if self.packed[body : body + count].translate(None, _SMALL_NUMBERS) else 1
        if not size or body + count * size > len(self.packed):
            return 0
        markers = self.packed[body : body + count * size : size]
        return size if markers.count(marker) == count else 0

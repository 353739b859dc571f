"""The arguments of a function as bytes: packed for a frame, or in shared memory where they are too large for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from orchestrator.config.sizes import format_size
from orchestrator.process.sharing.own_memory import own_sealed_memory
from orchestrator.process.uninterrupted import OwnDescriptor
from orchestrator_worker.framing import DEFAULT_CAP
from orchestrator_worker.values import UnsendableError, packed_pieces

CURE = "send numbers, text, bytes, dates, lists and dicts, arrays of numbers, or the path of a file"
Pieces = list[bytes | memoryview]
_pack = msgspec.msgpack.Encoder().encode


def pack_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    """Return positional and named arguments in one.

    Raises:
        TypeError: One cannot travel; says where in the arguments it is.
    """
    return b"".join(_pieces(args, kwargs, most_bytes=None))


def share_arguments(args: Sequence[Any], kwargs: Mapping[str, Any], most_bytes: int) -> OwnDescriptor:
    """Return sealed memory with the same in it.

    Raises:
        TypeError: One cannot travel; says where in the arguments it is.
        ValueError: They have more than ``most_bytes``; names the one with which they do. Or there is no such memory.
        OSError: No descriptor or no memory is left.
    """
    if not most_bytes:
        raise ValueError(
            f"the job is too large for the pipe: its arguments have more than {format_size(DEFAULT_CAP)}, and this "
            "system has no sealed memory, as Linux has; send the path of a file"
        )
    return own_sealed_memory("orchestrator-arguments", _pieces(args, kwargs, most_bytes))


def least_size(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """Return how many bytes the arguments have at least: text, bytes and arrays count, what is in lists does not."""
    return sum(map(_least, args)) + sum(map(_least, kwargs.values()))


def _least(value: Any) -> int:
    if isinstance(value, (str, bytes, bytearray)):
        return len(value)
    size = getattr(value, "nbytes", 0)
    return size if type(size) is int else 0


def _pieces(args: Sequence[Any], kwargs: Mapping[str, Any], most_bytes: int | None) -> Pieces:
    """Return the list of the positional ones and the table of the named ones, in msgpack."""
    made = _Made(most_bytes)
    made.add([b"\x92", b"\xdd" + len(args).to_bytes(4, "big")])
    for number, each in enumerate(args, 1):
        made.add_argument(f"argument {number}", each)
    made.add([b"\xdf" + len(kwargs).to_bytes(4, "big")])
    for key, each in kwargs.items():
        made.add([_pack(key)])
        made.add_argument(f"argument {key!r}", each)
    return made.pieces


class _Made:
    """What is packed so far."""

    def __init__(self, most_bytes: int | None) -> None:
        self.pieces: Pieces = []
        self._most_bytes = most_bytes
        self._size = 0

    def add(self, pieces: Pieces) -> None:
        self.pieces += pieces
        self._size += sum(memoryview(piece).nbytes for piece in pieces)

    def add_argument(self, name: str, value: Any) -> None:
        self._check(name, value, _least(value))  # before a copy is made
        try:
            pieces = packed_pieces(value)
        except UnsendableError as error:
            raise TypeError(
                f"{name}{error.path} ({error.kind}) cannot be sent to a worker: {error.why}; {CURE}"
            ) from None
        except (RecursionError, UnicodeEncodeError) as error:
            raise TypeError(
                f"{name} ({type(value).__name__}) cannot be sent to a worker: {error}; {CURE}"
            ) from None
        self.add(pieces)
        self._check(name, value, 0)

    def _check(self, name: str, value: Any, more: int) -> None:
        if self._most_bytes is not None and self._size + more > self._most_bytes:
            raise ValueError(
                f"{name} ({type(value).__name__}) is too large: with it the arguments have "
                f"{format_size(self._size + more)}, and max_value is {format_size(self._most_bytes)}; raise that, or "
                "send the path of a file"
            )

"""A result that came in shared memory: taken from the worker, checked, and read by whoever wanted it.

Nothing of it is trusted. The descriptor must be sealed memory of just the size that was announced, within the bound, so
that neither its size nor its content can change any more, and reading it can neither block nor fail. It is read by
``pread`` into memory of our own and never mapped: a page that the system has no memory for would be a signal then, and
other threads run meanwhile.
"""

from __future__ import annotations

import os
import socket

import msgspec

from orchestrator.config.sizes import format_size
from orchestrator.process.sharing.channel import NoDescriptorLeftError, NotPassedError, take_descriptor
from orchestrator.process.uninterrupted import OwnDescriptor
from orchestrator_worker.protocol import Done, Failed
from orchestrator_worker.sharing.shared_memory import sealed_size

MOST_AT_ONCE = 1 << 30
"""Bytes of one read."""


class SharedResult:
    """The packed bytes of one result. Its memory is given back with the last reference to it."""

    def __init__(self, taken: OwnDescriptor, size: int) -> None:
        """Keep ``taken`` open, which has so many bytes."""
        self._taken = taken
        self._descriptor = taken.number
        self._size = size

    def __len__(self) -> int:
        return self._size

    def read(self, start: int, size: int) -> bytes:
        """Return ``size`` bytes from ``start``. Other threads run meanwhile."""
        # The usual value is read at once, into the bytes object that is returned.
        pieces: list[bytes] = []
        while size > 0:
            piece = os.pread(self._descriptor, min(size, MOST_AT_ONCE), start)
            pieces.append(piece)
            start, size = start + len(piece), size - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_into(self, target: memoryview, start: int) -> None:
        """Fill ``target`` with the bytes from ``start``."""
        while target:
            done = os.preadv(self._descriptor, [target[:MOST_AT_ONCE]], start)
            target, start = target[done:], start + done


def take_result(channel: socket.socket, command_id: int, announced: int, most_bytes: int) -> SharedResult:
    """Return the result that a worker has announced and passed.

    Raises:
        NotPassedError: It is not as announced, or may not be; says what is wrong.
        NoDescriptorLeftError: This process has no descriptor left for it.
    """
    taken = OwnDescriptor()
    try:
        take_descriptor(channel, command_id, taken)
        size = sealed_size(taken.number)
        _check(size, announced, most_bytes)
        return SharedResult(taken, announced)
    except BaseException:
        taken.close()
        raise


def _check(size: int | None, announced: int, most_bytes: int) -> None:
    if size is None:
        raise NotPassedError("what came as a result is no sealed memory")
    if not size == announced <= most_bytes:
        raise NotPassedError(
            f"{format_size(announced)} were announced as a result, {format_size(size)} came, "
            f"and {format_size(most_bytes)} are the bound"
        )


def with_result(done: Done, channel: socket.socket | None, most_bytes: int) -> Done | Failed:
    """Return a Done with the result that its worker has passed beside it, or as what the job has failed.

    Raises:
        NotPassedError: As :func:`take_result`, or the Done is not one that could have such a result.
    """
    if done.result or done.kind != "plain" or channel is None:
        raise NotPassedError(f"a {done.kind} result in shared memory, or one in the frame beside it")
    try:
        result = take_result(channel, done.id, done.shared, most_bytes)
    except NoDescriptorLeftError:
        text = f"there was no descriptor left here to take its result of {done.shared:,} bytes"
        return Failed(done.id, "error", "ResultLost", text)
    return msgspec.structs.replace(done, result=result)

"""The parent's end of the socket by which descriptors are passed; the worker has :mod:`~orchestrator_worker.sharing`.

One message for each Run that brings something, sent before it: audio for a confined worker, which can open nothing by
``/proc`` of ours, or arguments that no frame can hold. One message for each Done whose result is shared memory.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from typing import Any

from orchestrator.process.uninterrupted import OwnDescriptor
from orchestrator_worker.framing import FramingError
from orchestrator_worker.sharing.passing import DESCRIPTOR, MESSAGE
from orchestrator_worker.sharing.shared_memory import AVAILABLE

MOST_AT_ONCE = 8
"""Descriptors that there is room for in one message: one is right, more are closed at once."""


class NotPassedError(FramingError):
    """The worker did not pass the one descriptor that it announced; says what is wrong."""

    def __init__(self, problem: str) -> None:
        """Be as any other message that is none."""
        super().__init__(problem, b"")


class NoDescriptorLeftError(Exception):
    """It did, and this process has no descriptor left to take it."""


def open_channel() -> tuple[socket.socket, int] | None:
    """Return our end, which never waits, and the worker's; None where the system has no shared memory of that kind.

    Raises:
        OSError: No descriptors are left.
    """
    if not AVAILABLE:
        return None
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(0)
    return ours, theirs.detach()


def pass_file(channel: socket.socket, command_id: int, path: str) -> None:
    """Open a file and pass it; whether that can be done the worker hears in any case."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        _send(channel, MESSAGE.pack(command_id, error.errno or errno.EIO), [])
        return
    try:
        pass_descriptor(channel, command_id, descriptor)
    finally:
        os.close(descriptor)


def pass_descriptor(channel: socket.socket, command_id: int, descriptor: int) -> None:
    """Pass a descriptor, which stays open here."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, DESCRIPTOR.pack(descriptor))
    _send(channel, MESSAGE.pack(command_id, 0), [rights])


def _send(channel: socket.socket, message: bytes, rights: list[tuple[int, int, bytes]]) -> None:
    try:
        channel.sendmsg([message], rights)
    except OSError:
        return  # it is dead, or does not take what it was sent: it will find nothing for this job, and say so


def take_descriptor(channel: socket.socket, command_id: int, taken: OwnDescriptor) -> None:
    """Have ``taken`` own the descriptor that a worker has passed for a command. Never waits.

    An interrupt (:mod:`orchestrator.process.uninterrupted`) leaves none open that is not there.

    Raises:
        NotPassedError: There is none, or not just one, or one for another command.
        NoDescriptorLeftError: There was one, and no number for it here.
    """
    received: list[tuple[bytes, list[tuple[int, int, bytes]], int, Any]] = []
    try:
        _receive(channel, received)
        message, ancillary, flags, _ = received[0]
        numbers = _numbers(ancillary)
        taken.adopt(numbers)
        cut = bool(flags & socket.MSG_CTRUNC)
        _check(numbers, ours=message == MESSAGE.pack(command_id, 0), cut=cut)
    except BaseException:
        if received and not taken:
            taken.adopt(_numbers(received[0][1]))
        taken.close()
        raise


def _receive(
    channel: socket.socket, received: list[tuple[bytes, list[tuple[int, int, bytes]], int, Any]]
) -> None:
    """Receive one message and append it, in one step."""
    room = socket.CMSG_SPACE(MOST_AT_ONCE * DESCRIPTOR.size)
    try:
        received.extend(map(channel.recvmsg, (MESSAGE.size + 1,), (room,), (socket.MSG_CMSG_CLOEXEC,)))
    except OSError as error:
        raise NotPassedError(f"no descriptor came: {error.strerror}") from error


def _check(taken: list[int], *, ours: bool, cut: bool) -> None:
    if cut and not taken:
        raise NoDescriptorLeftError
    if not ours:
        raise NotPassedError("another job's came")
    if len(taken) != 1 or cut:
        raise NotPassedError(f"{len(taken)} descriptors came instead of one")


def _numbers(ancillary: Iterable[tuple[int, int, bytes]]) -> list[int]:
    found: list[int] = []
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            whole = len(content) - len(content) % DESCRIPTOR.size
            found += [number for (number,) in DESCRIPTOR.iter_unpack(content[:whole])]
    return found

"""The worker's end of the two pipes: commands come in, replies go out.

Reading blocks while the worker is idle. While a job runs the engine may ask :meth:`Pipe.look` whether something
came; commands read that way are kept in order for :meth:`Pipe.receive`.

No command is read before its turn: what lies in the pipe behind it the parent can still recall.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, NoReturn

import msgspec

from orchestrator_worker.framing import (
    CONTROL_CAP,
    DEFAULT_CAP,
    HEADER_SIZE,
    FramingError,
    frame,
    payload_size,
)
from orchestrator_worker.lifeline import PARENT_GONE_EXIT_CODE
from orchestrator_worker.protocol import PROTOCOL_EXIT_CODE, Chunk, Command, Done, Message

if TYPE_CHECKING:
    from orchestrator_worker.sharing.passing import Passing

READ_SIZE = 1 << 16
LINGER_S = 0.0002
"""How long a worker stays awake after a job that was over in no time."""
# Made once a process, and for forked workers once in their fork server: the decoder looks at every message's type.
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)


class Pipe:
    """Typed messages over a pair of descriptors; beside them a socket for descriptors, where the system has that."""

    def __init__(
        self, commands_fd: int, replies_fd: int, cap: int = DEFAULT_CAP, *, passing_fd: int = -1
    ) -> None:
        self._commands_fd = commands_fd
        self.replies_fd = replies_fd
        self._passing_fd = passing_fd
        self._passing: Passing | None = None
        self.cap = cap
        self._owner_pid = os.getpid()
        self._waiting: deque[Command] = deque()
        self._poller = select.poll()
        self._poller.register(commands_fd, select.POLLIN)

    @property
    def is_ours(self) -> bool:
        """Whether this is the process that the parent speaks to, and not one that a job has forked."""
        return os.getpid() == self._owner_pid

    def end_a_fork(self, code: int = 0) -> None:
        """End this process at once if a job has forked it: the wire and the job belong to the original."""
        if not self.is_ours:
            os._exit(code)

    def close_in_a_fork(self) -> None:
        """Close our ends in a process that a job has forked: it could read what is for us, or outlive us with them.

        Not called for a fork by native code, which is found out when it comes back (:meth:`end_a_fork`).
        """
        ends = [self._commands_fd, self.replies_fd]
        if self._passing is None:
            ends.append(self._passing_fd)
        else:
            self._passing.close()
        # The numbers may be given to others here, and be forked again.
        self._commands_fd = self.replies_fd = self._passing_fd = -1
        self._passing = None
        for descriptor in ends:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def send(self, message: Message) -> None:
        """Write one message, blocking until the parent has taken it. A parent that is gone ends the process.

        Raises:
            FramingError: The message is over the cap; nothing was written.
            TypeError: The message holds a value msgpack has no form for; nothing was written.
        """
        bulk = type(message) in (Done, Chunk)
        view = memoryview(frame(message, _encoder, self.cap if bulk else min(self.cap, CONTROL_CAP)))
        try:
            while view:
                view = view[os.write(self.replies_fd, view) :]
        except BrokenPipeError:
            leave(PARENT_GONE_EXIT_CODE)

    def passing(self) -> Passing:
        """Return the socket for descriptors. What it needs is loaded when it is first asked for.

        Raises:
            OSError: There is none.
        """
        if self._passing is None:
            from orchestrator_worker.sharing.passing import Passing

            self._passing = Passing(self._passing_fd)
        return self._passing

    def receive(self) -> Command:
        """Return the next command, blocking. End of file, or bytes that are no command, end the process."""
        if not self._waiting:
            self._read()
        return self._waiting.popleft()

    def linger(self) -> None:
        """Stay awake until a command comes, for a moment at most: going to sleep and being woken takes longer."""
        until = perf_counter() + LINGER_S
        while not self._waiting and not self._poller.poll(0) and perf_counter() < until:
            os.sched_yield()

    def look(self) -> deque[Command]:
        """Return what has come, without blocking; the caller may remove what it deals with."""
        while self._poller.poll(0):
            # The parent may have taken it back meanwhile, and nothing else may ever come.
            os.set_blocking(self._commands_fd, False)
            try:
                begun = os.read(self._commands_fd, HEADER_SIZE)
            except BlockingIOError:
                break
            finally:
                os.set_blocking(self._commands_fd, True)
            self._read(begun or leave(PARENT_GONE_EXIT_CODE))
        return self._waiting

    def _read(self, begun: bytes = b"") -> None:
        """Take one command out of the pipe, and no byte of the next; ``begun`` is what was read of it already."""
        try:
            header = begun + self._take(HEADER_SIZE - len(begun)) if len(begun) < HEADER_SIZE else begun
            size = payload_size(header, cap=self.cap)
            self._waiting.append(_decoder.decode(self._take(size)))
        except (FramingError, msgspec.DecodeError) as error:
            print(f"worker: the parent sent no command: {error}", file=sys.stderr)
            leave(PROTOCOL_EXIT_CODE)

    def _take(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        taken = os.read(self._commands_fd, min(size, READ_SIZE))
        if len(taken) == size:
            return taken
        pieces = [taken]
        while taken and (size := size - len(taken)):
            taken = os.read(self._commands_fd, min(size, READ_SIZE))
            pieces.append(taken)
        if not taken:
            leave(PARENT_GONE_EXIT_CODE)
        return b"".join(pieces)


def leave(code: int) -> NoReturn:
    """Flush and end the process without destructors: static ones of native libraries abort."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)

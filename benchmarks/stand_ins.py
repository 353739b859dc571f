"""Workers that are no processes: one program speaks for many of them, each over pipes of its own.

A pool that is fuzzed needs a new worker for nearly every frame, because it ends the one that sent it. With a process
for each, most of the time goes into processes. Here :meth:`StandIns.spawn` takes the place of
:func:`orchestrator.process.spawn.spawn`: the pool, its event loop, the pipes, the decoder of each and what follows from
a broken protocol are the real ones; what answers at the other end is this file, started once as a program.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from orchestrator.process import worker_process
from orchestrator.process.sharing.channel import open_channel
from orchestrator.process.spawn import ParentEnds
from orchestrator_worker.framing import FrameDecoder, frame
from orchestrator_worker.protocol import (
    PROTOCOL_VERSION,
    ChunkTimes,
    Command,
    Done,
    Hello,
    Load,
    Loaded,
    Message,
    Ready,
    Run,
    Shutdown,
    Trim,
    Trimmed,
)

_ORDER = struct.Struct("<cqi")
"""What is told, over which worker, and a signal or an exit status."""
_NEW, _SIGNAL, _ENDED = b"n", b"s", b"e"
_FDS = struct.Struct("6i")
_OWN_END = 3
"""The exit status of one that sent a header of its own: more might be waited for."""
_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(Command).decode


class StandIns:
    """The program, and the pool's side of it. Within it, pools start no worker processes."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._program = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        self._ended: dict[int, int] = {}
        self._last = 0
        self._death = -1

    def spawn(self, environment: Mapping[str, str], **_: object) -> tuple[StandIn, ParentEnds]:  # noqa: ARG002
        """Begin one."""
        opened = [end for _ in range(4) for end in os.pipe()]
        channel = open_channel()
        assert channel is not None
        passing, theirs = channel
        commands_r, commands_w, replies_r, replies_w, noise_r, noise_w, lifeline_r, lifeline_w = opened
        self._death, death_w = os.pipe()
        handed = (commands_r, replies_w, noise_w, lifeline_r, theirs, death_w)
        self._last += 1
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, _FDS.pack(*handed))
        self._channel.sendmsg([_ORDER.pack(_NEW, self._last, 0)], [rights])
        for each in handed:
            os.close(each)
        for ours in (commands_w, replies_r, noise_r):
            os.set_blocking(ours, False)
        ends = ParentEnds(commands_w, replies_r, noise_r, lifeline_w, passing)
        return StandIn(self, self._last, self._program.pid), ends

    def signal(self, number: int, which: int) -> None:
        """End one; harmless when it has ended."""
        self._channel.send(_ORDER.pack(_SIGNAL, number, which))

    def status_of(self, number: int, *, wait: bool = False) -> int | None:
        """Return how one has ended, None while it has not."""
        while number not in self._ended:
            try:
                told = self._channel.recv(_ORDER.size, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            if not told:
                raise RuntimeError("the program of the stand-ins has ended")
            _, ended, status = _ORDER.unpack(told)
            self._ended[ended] = status
        return self._ended[number]

    def forget(self, number: int) -> int:
        """Return how one has ended, once."""
        status = self.status_of(number, wait=True)
        assert status is not None
        del self._ended[number]
        return status

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Have pools that are made meanwhile use them."""
        patched: Any = worker_process
        spawn, open_pidfd = patched.spawn, patched.open_pidfd
        signal_group = worker_process.WorkerProcess.signal_group

        def signal_stand_in(process: worker_process.WorkerProcess, number: int) -> None:
            one = process._process  # noqa: SLF001
            if not isinstance(one, StandIn):
                signal_group(process, number)
            elif process.returncode is None:
                self.signal(one.number, number)

        patched.spawn, patched.WorkerProcess.signal_group = self.spawn, signal_stand_in
        patched.open_pidfd = lambda _: self._death  # asked for at once after each start
        try:
            yield
        finally:
            patched.spawn, patched.WorkerProcess.signal_group = spawn, signal_group
            patched.open_pidfd = open_pidfd

    def close(self) -> None:
        """End the program."""
        self._channel.close()
        self._program.wait()


class StandIn:
    """One of them, as the pool sees a process. Its number is that of the program, which leads no group: none is hit."""

    start: Literal["exec", "fork", "warm"] = "exec"

    def __init__(self, of: StandIns, number: int, pid: int) -> None:
        self.of = of
        self.number = number
        self.pid = pid

    def has_exited(self, pidfd: int) -> bool:  # noqa: ARG002 - of the program
        """Whether it has ended."""
        return self.of.status_of(self.number) is not None

    def wait(self, pidfd: int) -> None:  # noqa: ARG002
        """Block until it has ended."""
        self.of.status_of(self.number, wait=True)

    def reap(self, pidfd: int) -> int:  # noqa: ARG002
        """Return its exit status."""
        return self.of.forget(self.number)


# ---------------------------------------------------------------------- the program


class _Speaker:
    """One worker: reads commands, answers, and writes what a job of fuzz_frames.py brings."""

    def __init__(self, number: int, descriptors: tuple[int, ...]) -> None:
        self.number = number
        self.commands, self.replies, *_, self.death = descriptors
        self.descriptors = descriptors
        self.status: int | None = None
        self._frames = FrameDecoder()
        self.waiting = bytearray()
        for each in (self.commands, self.replies):
            os.set_blocking(each, False)
        self.say(Hello(PROTOCOL_VERSION, "0", os.getpid(), "3"))
        self.say(Ready())

    def say(self, message: Message) -> None:
        self.write(frame(message, _encoder))

    def write(self, content: bytes) -> None:
        self.waiting += content
        self.flush()

    def flush(self) -> None:
        try:
            while self.waiting:
                del self.waiting[: os.write(self.replies, self.waiting)]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.waiting.clear()

    def hear(self) -> None:
        """Read what there is; at its end the worker ends, as a real one does."""
        try:
            content = os.read(self.commands, 1 << 20)
        except BlockingIOError:
            return
        if not content:
            self.status = 0
        for payload in self._frames.feed(content):
            if self.status is None:
                self._answer(_decode(payload))

    def _answer(self, command: Command) -> None:
        match command:
            case Load():
                self.say(Loaded(command.id, 0.0, ["call"]))
            case Run():
                self._run(command.id, command.job.options)
            case Trim():
                self.say(Trimmed(command.id, trimmed=False))
            case Shutdown():
                self.status = 0

    def _run(self, ticket: int, options: dict[str, Any]) -> None:
        if options["target"] == "fuzz_jobs:send":
            payload, header = options["args"]
            self.write((header or len(payload).to_bytes(4, "little")) + payload)
            if header:
                self.status = _OWN_END
                return
            value: object = "mine"
        else:
            value = options["args"][0] * options["args"][1]
        self.say(Done(ticket, "plain", _encoder.encode(value), 0.0, ChunkTimes()))


class _Program:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._speakers: dict[int, _Speaker] = {}
        self._by_fd: dict[int, _Speaker] = {}

    def run(self) -> None:
        while True:
            poll = select.poll()
            poll.register(self._channel, select.POLLIN)
            for one in self._speakers.values():
                poll.register(one.commands, select.POLLIN)
                if one.waiting:
                    poll.register(one.replies, select.POLLOUT)
            for descriptor, _ in poll.poll():
                if descriptor == self._channel.fileno():
                    if not self._order():
                        return
                elif (known := self._by_fd.get(descriptor)) is not None:
                    known.flush()
                    if descriptor == known.commands:
                        known.hear()
                    if known.status is not None and not known.waiting:
                        self._end(known, known.status)

    def _order(self) -> bool:
        content, ancillary, _, _ = self._channel.recvmsg(_ORDER.size, socket.CMSG_SPACE(_FDS.size))
        if not content:
            return False
        what, number, which = _ORDER.unpack(content)
        if what == _NEW:
            new = self._speakers[number] = _Speaker(number, _FDS.unpack(ancillary[0][2]))
            self._by_fd |= {new.commands: new, new.replies: new}
        elif (found := self._speakers.get(number)) is not None:
            self._end(found, -which)
        return True

    def _end(self, one: _Speaker, status: int) -> None:
        """Say it before the pipes are closed: whoever sees their end asks at once."""
        del self._speakers[one.number], self._by_fd[one.commands], self._by_fd[one.replies]
        self._channel.send(_ORDER.pack(_ENDED, one.number, status))
        with contextlib.suppress(BrokenPipeError):  # it was quick
            os.write(one.death, b".")
        for each in one.descriptors:
            os.close(each)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):  # the other side is gone
        _Program(socket.socket(fileno=int(sys.argv[1]))).run()

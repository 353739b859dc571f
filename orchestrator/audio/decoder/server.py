"""The decoder process: one thread that forks a child for each request, and sees to its end.

It never looks at a recording. A child leads a process group of its own; when it has ended, whatever the reason, the
whole group is killed, and only when nobody of it is left the host is told how it ended: nothing writes any more then.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import select
import signal
import socket
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import msgspec

from orchestrator.audio.decoder import child, confinement
from orchestrator.audio.decoder.messages import (
    CLOSE_ON_EXEC,
    DESCRIPTOR,
    DESCRIPTORS,
    MOST_REQUEST_BYTES,
    STATUS,
    Mode,
    Request,
)

_BADNESS = b"1000"
"""Where the system must kill somebody for want of memory, it is to take a child before the host or a worker."""


@dataclass(slots=True)
class _Job:
    status_fd: int
    alive_fd: int
    status: int = 0


class _Server:
    def __init__(self, channel: socket.socket, lifeline_fd: int) -> None:
        self._channel = channel
        self._jobs: dict[int, _Job] = {}
        self._poll = select.poll()
        self._deaths, self._told = os.pipe()
        for descriptor in (self._deaths, self._told):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, _let_it_wake)
        signal.set_wakeup_fd(self._told, warn_on_full_buffer=False)
        self._poll.register(self._deaths, select.POLLIN)
        self._poll.register(channel, select.POLLIN)
        self._poll.register(lifeline_fd, 0)
        self._lifeline = lifeline_fd

    def run(self) -> NoReturn:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._lifeline:
                    self._leave()
                elif descriptor == self._deaths:
                    self._reap()
                elif descriptor == self._channel.fileno():
                    self._take()
                else:
                    self._kill(descriptor)

    def _leave(self) -> NoReturn:
        for number in self._jobs:  # where the kernel does not do it
            with contextlib.suppress(OSError):
                os.killpg(number, signal.SIGKILL)
        os._exit(0)

    def _take(self) -> None:
        content, ancillary, _, _ = self._channel.recvmsg(
            MOST_REQUEST_BYTES, socket.CMSG_SPACE(DESCRIPTOR.size * DESCRIPTORS), CLOSE_ON_EXEC
        )
        if not content:
            os._exit(0)
        sent = ancillary[0][2] if ancillary else b""
        descriptors = [number for (number,) in DESCRIPTOR.iter_unpack(sent)]
        if len(descriptors) != DESCRIPTORS:  # there was no room for all of them
            for descriptor in descriptors:
                os.close(descriptor)
            return
        self._fork(msgspec.msgpack.decode(content, type=Request), *descriptors)

    def _fork(self, request: Request, recording: int, answers: int, status_fd: int, alive_fd: int) -> None:
        own = os.getpid()
        try:
            number = os.fork()
        except OSError as error:
            os.write(status_fd, STATUS.pack(-(error.errno or 1)))
            for descriptor in (recording, answers, status_fd, alive_fd):
                os.close(descriptor)
            return
        if number == 0:
            _become_child(own, request, recording, answers)
        with contextlib.suppress(OSError):  # in both, so that it is so for whoever looks first
            os.setpgid(number, number)
        os.close(recording)
        os.close(answers)
        self._jobs[number] = _Job(status_fd, alive_fd)
        self._poll.register(alive_fd, 0)

    def _kill(self, alive_fd: int) -> None:
        for number, job in self._jobs.items():
            if job.alive_fd == alive_fd:
                self._poll.unregister(alive_fd)
                with contextlib.suppress(OSError):
                    os.killpg(number, signal.SIGKILL)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._deaths, 4096):
                pass
        for number, job in list(self._jobs.items()):
            if self._is_over(number, job):
                self._forget(number, job)

    def _is_over(self, number: int, job: _Job) -> bool:
        """Whether a child and all it has started are gone; what is left of a dead one is killed."""
        with contextlib.suppress(ChildProcessError, AttributeError):  # not every system has it
            if os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                with contextlib.suppress(OSError):
                    os.killpg(number, signal.SIGKILL)  # before its number may be another's
        try:
            while (found := os.waitpid(-number, os.WNOHANG))[0]:
                if found[0] == number:
                    job.status = found[1]
        except ChildProcessError:
            return True
        return False

    def _forget(self, number: int, job: _Job) -> None:
        del self._jobs[number]
        with contextlib.suppress(OSError):
            os.write(job.status_fd, STATUS.pack(job.status))
        with contextlib.suppress(KeyError):
            self._poll.unregister(job.alive_fd)
        os.close(job.status_fd)
        os.close(job.alive_fd)


def _let_it_wake(_number: int, _frame: object) -> None:
    """Do nothing: that there is a handler has the number written into the pipe."""


def serve(channel_fd: int, lifeline_fd: int, mode: str) -> NoReturn:
    """Answer requests until the host is gone."""
    child.load()
    confinement.prepare(cast("Mode", mode))
    confinement.inherit_orphans()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as file:
        file.write(_BADNESS)
    with contextlib.suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = _Server(socket.socket(fileno=channel_fd), lifeline_fd)
    gc.collect()
    gc.freeze()  # a collection in a child would write to every page it shares
    server.run()


def _become_child(parent: int, request: Request, recording: int, answers: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        confinement.die_with_the_parent()
        if os.getppid() != parent:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _keep_only(recording, answers)
        child.run(request, recording, socket.socket(fileno=answers))
    finally:
        os._exit(1)  # whatever was raised: nobody but the server may go on in its loop


def _keep_only(*descriptors: int) -> None:
    """Close all others: requests for other recordings, and what is said about them, are none of its business."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    first = 3
    for kept in sorted(descriptors):
        os.closerange(first, kept)
        first = kept + 1
    os.closerange(first, _highest() + 1)


def _highest() -> int:
    try:
        return max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 - names of numbers
    except (OSError, ValueError):
        most: Any = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return int(min(most, 1 << 16))

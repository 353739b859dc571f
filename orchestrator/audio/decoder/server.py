"""The decoder process: one thread that forks a child for each request, and sees to its end.

It never looks at a recording. One child is always there ahead of its recording, confined and waiting, so that a short
recording need not wait for a fork; each child serves one request and ends. A child leads a process group of its own;
when it has ended, whatever the reason, the whole group is killed, and only when nobody of it is left the host is told
how it ended: nothing writes any more then.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import select
import signal
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import msgspec

from orchestrator.audio.decoder import child, confinement
from orchestrator.audio.decoder.messages import (
    CLOSE_ON_EXEC,
    DESCRIPTOR,
    DESCRIPTORS,
    HANDED_ON,
    MOST_REQUEST_BYTES,
    STATUS,
    Mode,
    Request,
    pair,
)

_BADNESS = b"1000"
"""Where the system must kill somebody for want of memory, it is to take a child before the host or a worker."""


@dataclass(slots=True)
class _Child:
    handover: socket.socket
    """Our end: its request goes there. Closed when it has one."""
    status_fd: int = -1
    alive_fd: int = -1
    status: int = 0


class _Server:
    def __init__(self, channel: socket.socket, lifeline_fd: int, mode: Mode) -> None:
        self._channel = channel
        self._mode: Mode = mode
        self._children: dict[int, _Child] = {}
        self._spare: _Child | None = None
        self._rehearse = True
        """Whether the last recording was converted: then the next is likely to be."""
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
        self._keep_one_spare()
        while True:
            # Requests last: what came with one may have the number of a pipe whose end is in the same list.
            channel_fd = self._channel.fileno()
            for descriptor, _ in sorted(self._poll.poll(), key=lambda event: event[0] == channel_fd):
                if descriptor == self._lifeline:
                    self._leave()
                elif descriptor == self._deaths:
                    self._reap()
                elif descriptor == channel_fd:
                    self._take()
                else:
                    self._kill(descriptor)

    def _leave(self) -> NoReturn:
        for number in self._children:  # where the kernel does not do it
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
            _close(descriptors)
            return
        handed_on, (status_fd, alive_fd) = descriptors[:HANDED_ON], descriptors[HANDED_ON:]
        way = msgspec.msgpack.decode(content, type=Request).way
        try:
            one = self._hand_on(content, handed_on, ahead=way != "ffmpeg")
        except OSError as error:
            with contextlib.suppress(OSError):  # nobody waits for it any more
                os.write(status_fd, STATUS.pack(-(error.errno or 1)))
            _close([status_fd, alive_fd])
        else:
            one.status_fd, one.alive_fd = status_fd, alive_fd
            self._poll.register(alive_fd, 0)
        finally:
            _close(handed_on)
        self._keep_one_spare()

    def _hand_on(self, content: bytes, descriptors: list[int], *, ahead: bool) -> _Child:
        """Give a request to a child: to the spare one if that is for such, else to a new one."""
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, b"".join(map(DESCRIPTOR.pack, descriptors)))
        while True:
            spare, self._spare = (self._spare, None) if ahead else (None, self._spare)
            one = spare or self._fork(ahead=ahead)
            try:
                one.handover.sendmsg([content], [rights])
            except ConnectionError:  # the system has killed it meanwhile
                if spare is None:
                    raise
            else:
                return one
            finally:
                one.handover.close()

    def _keep_one_spare(self) -> None:
        if self._spare is None:
            with contextlib.suppress(OSError):  # whoever needs it tries again, and says what is missing
                self._spare = self._fork(ahead=True)

    def _fork(self, *, ahead: bool) -> _Child:
        """Return a new child that waits for its request.

        Raises:
            OSError: The system refused.
        """
        own = os.getpid()
        ours, theirs = pair()
        with theirs:
            try:
                number = os.fork()
            except OSError:
                ours.close()
                raise
            if number == 0:
                _become_child(own, theirs, self._mode, ahead=ahead, rehearse=self._rehearse)
            with contextlib.suppress(OSError):  # in both, so that it is so for whoever looks first
                os.setpgid(number, number)
        self._children[number] = found = _Child(ours)
        return found

    def _kill(self, alive_fd: int) -> None:
        for number, one in self._children.items():
            if one.alive_fd == alive_fd:
                self._poll.unregister(alive_fd)
                with contextlib.suppress(OSError):
                    os.killpg(number, signal.SIGKILL)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._deaths, 4096):
                pass
        for number, one in list(self._children.items()):
            if self._is_over(number, one):
                self._forget(number, one)

    def _is_over(self, number: int, one: _Child) -> bool:
        """Whether a child and all it has started are gone; what is left of a dead one is killed."""
        with contextlib.suppress(ChildProcessError, AttributeError):  # not every system has it
            if os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                with contextlib.suppress(OSError):
                    os.killpg(number, signal.SIGKILL)  # before its number may be another's
        try:
            while (found := os.waitpid(-number, os.WNOHANG))[0]:
                if found[0] == number:
                    one.status = found[1]
        except ChildProcessError:
            return True
        return False

    def _forget(self, number: int, one: _Child) -> None:
        del self._children[number]
        one.handover.close()
        if one is self._spare:
            self._spare = None  # the next request has another one made: one that dies at once would never end
        if one.status_fd >= 0:
            self._rehearse = os.waitstatus_to_exitcode(one.status) == child.HAS_CONVERTED
            with contextlib.suppress(OSError):
                os.write(one.status_fd, STATUS.pack(one.status))
            with contextlib.suppress(KeyError):
                self._poll.unregister(one.alive_fd)
            _close([one.status_fd, one.alive_fd])


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


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
    server = _Server(socket.socket(fileno=channel_fd), lifeline_fd, cast("Mode", mode))
    gc.collect()
    gc.freeze()  # a collection in a child would write to every page it shares
    server.run()


def _become_child(
    parent: int, handover: socket.socket, mode: Mode, *, ahead: bool, rehearse: bool
) -> NoReturn:
    try:
        os.setpgid(0, 0)
        confinement.die_with_the_parent()
        if os.getppid() != parent:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _keep_only(handover.fileno())
        child.run(handover, mode, ahead=ahead, rehearse=rehearse)
    finally:
        os._exit(1)  # whatever was raised: nobody but the server may go on in its loop


def _keep_only(kept: int) -> None:
    """Close all other descriptors: what is asked and said about other recordings is none of its business."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.closerange(3, kept)
    os.closerange(kept + 1, _highest() + 1)


def _highest() -> int:
    try:
        return max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 - names of numbers
    except (OSError, ValueError):
        most: Any = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return int(min(most, 1 << 16))

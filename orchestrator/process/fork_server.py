"""The host's side of a fork server (:mod:`orchestrator_worker.fork_server`): ask for workers, and how they ended.

Every call is a question and its answer over one socket and takes about as long as the system needs to fork. A
fork server that does not answer in time, or is gone, is *lost*: whoever asked starts its process the plain way then.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from orchestrator_worker.fork_server import DESCRIPTOR, FORK, NUMBER, READY, REAP

if TYPE_CHECKING:
    from orchestrator.process.sandbox.worker_sandbox import TemplateSandbox

ANSWER_TIMEOUT_S = 2.0
_LARGEST_ERRNO = 4095
_fork_servers: weakref.WeakSet[ForkServer] = weakref.WeakSet()


class ForkServerLostError(Exception):
    """The fork server is gone, does not answer, or the system refused it a process."""


class ForkServer:
    """One fork server process with its environment and working directory. Not thread-safe."""

    start: Literal["fork", "warm"] = "fork"
    """How its workers begin: with nothing loaded, or with their model."""
    sandbox: TemplateSandbox | None = None
    """What a confined template's workers have their folders in."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        wide: Sequence[str] = (),
        role: str = "fork_server",
        passed: Sequence[int] = (),
    ) -> None:
        """Start it. It needs some time until it is :attr:`ready`.

        ``wide`` is what its workers will be told when they confine themselves; empty: they will not.

        ``role`` is what the process is told to be, ``passed`` are descriptors for that.

        Raises:
            OSError: The system refused.
        """
        self.environment = dict(environment)
        self.folder = _working_folder()
        # Packets, not a stream: one question is one message, and the descriptors that come with it cannot be taken for
        # those of the next.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = ours
        self._ready = False
        self.lost = False
        handed_over = (theirs.fileno(), *passed)
        try:
            self._process = subprocess.Popen(
                [*command, role, *map(str, handed_over), *wide],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=handed_over,
                env=self.environment,
                process_group=0,  # Ctrl-C in the terminal is for the host, which ends it
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()  # or the end of the process would not be the end of the channel
        self.pid = self._process.pid
        self.patience_s = ANSWER_TIMEOUT_S
        ours.settimeout(self.patience_s)
        _fork_servers.add(self)

    def answer_within(self, seconds: float) -> None:
        """Wait so long for an answer before it counts as lost: by default few, for somebody else starts it then."""
        self.patience_s = seconds
        self._channel.settimeout(seconds)

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether a worker from here has this environment and the present working directory."""
        return environment == self.environment and self.folder == _working_folder()

    @property
    def ready(self) -> bool:
        """Whether it has said that it is; never waits."""
        if not self._ready and not self.lost and self._has_news():
            try:
                self._ready = self._channel.recv(64) == READY
            except OSError:
                self._ready = False
            self.lost = not self._ready
        return self._ready and not self.lost

    def _has_news(self) -> bool:
        poller = select.poll()  # not ``select``, which knows no descriptor above 1,023
        poller.register(self._channel, select.POLLIN)
        return bool(poller.poll(0))

    def fork(self, descriptors: Sequence[int]) -> int:
        """Return the number of a new worker that has these ends of pipes; they stay open here.

        Raises:
            ForkServerLostError: There is none.
        """
        number = self._ask(FORK, descriptors)
        if number <= 0:
            raise ForkServerLostError(f"the fork_server cannot fork: {os.strerror(-number)}")
        return number

    def reap(self, number: int) -> int | None:
        """Return the exit status, as ``Popen.returncode``, of a worker that has ended; blocks until it has.

        None: the fork server is gone, and cannot say; or it says what no ended process has.
        """
        try:
            status = self._ask(REAP + NUMBER.pack(number))
        except ForkServerLostError:
            return None
        try:
            return None if status < 0 else os.waitstatus_to_exitcode(status)
        except ValueError:
            self._give_up()
            return None

    def _ask(self, request: bytes, descriptors: Sequence[int] = ()) -> int:
        self._order(request, descriptors)
        return self._answer()

    def _order(self, request: bytes, descriptors: Sequence[int] = ()) -> None:
        if self.lost:
            raise ForkServerLostError("the fork_server is gone")
        try:
            if descriptors:
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, b"".join(map(DESCRIPTOR.pack, descriptors)))
                self._channel.sendmsg([request], [rights])
            else:
                self._channel.send(request)
        except OSError as error:
            self._give_up()
            raise ForkServerLostError(f"the fork_server does not answer: {error}") from error

    def _answer(self) -> int:
        try:
            answer = self._channel.recv(64)
        except OSError as error:
            self._give_up()
            raise ForkServerLostError(f"the fork_server does not answer: {error}") from error
        if len(answer) != NUMBER.size:
            self._give_up()
            raise ForkServerLostError("the fork_server is gone")
        number = int(NUMBER.unpack(answer)[0])
        if number < -_LARGEST_ERRNO:  # in a template speaks what its model has brought
            self._give_up()
            raise ForkServerLostError("the fork_server gave an answer that makes no sense")
        return number

    def _give_up(self) -> None:
        """Trust it no more: an answer that came too late would be taken for the next one."""
        self.lost = True
        self._process.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """End it. Workers that it started live on."""
        self._channel.close()  # by that it ends: it reads an end of file
        try:
            self._process.wait(ANSWER_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.lost = True

    def forget(self) -> None:
        """Close our end in a forked copy of the host, which must not keep the fork server alive."""
        self._channel.close()
        self.lost = True


def _close_in_forked_copy() -> None:
    for fork_server in list(_fork_servers):
        fork_server.forget()


os.register_at_fork(after_in_child=_close_in_forked_copy)


def _working_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a plain text to compare
    except OSError:
        return ""

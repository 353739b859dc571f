"""The host's side of a template (:mod:`orchestrator_worker.template`).

The process loads a model and forks workers. It dies with the host as a worker does, and it is ended at once, whatever
its load is doing.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from orchestrator.process.exit_status import describe_exit
from orchestrator.process.fork_server import ForkServer, ForkServerLostError
from orchestrator.process.warm.own_groups import OwnGroups
from orchestrator_worker.fork_server import DESCRIPTOR, FORK
from orchestrator_worker.template import ASKS, LONGEST_MESSAGE, Order, Report

if TYPE_CHECKING:
    from orchestrator.process.sandbox.worker_sandbox import TemplateSandbox


_REAPED_WITHIN_S = 0.1


def reap_soon(process: subprocess.Popen[bytes]) -> None:
    """Reap a killed process: here if it is gone in a moment, else beside us.

    The kernel takes a second for each few gigabytes of a loaded model, and a pool's loop has others to serve.
    """
    try:
        process.wait(_REAPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        threading.Thread(target=process.wait, name="orchestrator-reaper", daemon=True).start()


class TemplateProcess(ForkServer):
    """One template. Its workers are asked for, and ask how they ended, as a fork server's."""

    start = "warm"

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        order: Order,
        sandbox: TemplateSandbox | None = None,
    ) -> None:
        """Start it, and tell it what to load. ``sandbox``, of a confined one, is let go when it is closed.

        Raises:
            OSError: The system refused.
        """
        self.sandbox = sandbox
        self._strict = order.sandbox is not None and order.sandbox.mode == "strict"
        self._heard = False
        self._ended = False
        self.shared_bytes = 0
        """What its first worker was found to share with it; 0 before."""
        self._groups: OwnGroups | None = None
        theirs, self._lifeline = os.pipe()
        try:
            super().__init__(command, environment, role="template", passed=(theirs,))
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(theirs)
        try:
            self._channel.send(msgspec.msgpack.encode(order))
        except OSError:
            self.close()
            raise

    @property
    def descriptor(self) -> int:
        """What becomes readable when there is something to hear, its death too; -1 once it is closed."""
        return self._channel.fileno()

    def hear(self) -> Report | None:
        """Return its report once that is there; never waits. One that says anything more is ended.

        Raises:
            ForkServerLostError: It is gone; the text says how it ended.
        """
        if not self._has_news():
            return None
        try:
            message, ancillary, _, _ = self._channel.recvmsg(
                LONGEST_MESSAGE, socket.CMSG_SPACE(DESCRIPTOR.size), socket.MSG_CMSG_CLOEXEC
            )
            # Its first message is ours still: nothing was loaded before it.
            asks = message == ASKS and self._strict and not self._heard
            self._heard = True
            self._keep(ancillary, asks=asks)
            if asks:
                return None
            report = msgspec.msgpack.decode(message, type=Report) if message and not self._ready else None
        except (OSError, msgspec.DecodeError):
            report = None
        if report is None:
            self._end()
            status = self._process.returncode
            raise ForkServerLostError(describe_exit(-signal.SIGKILL if status is None else status))
        self._ready = True
        return report

    def _keep(self, ancillary: list[tuple[int, int, bytes]], *, asks: bool) -> None:
        """Keep what answers its filter, which comes once; whatever else is passed is closed."""
        for _, _, data in ancillary:
            for (descriptor,) in DESCRIPTOR.iter_unpack(data):
                if asks and self._groups is None:
                    self._groups = OwnGroups(descriptor)
                else:
                    os.close(descriptor)

    def fork(self, descriptors: Sequence[int]) -> int:
        """As :meth:`.ForkServer.fork`; a worker of a strict template gets its process group from here.

        Raises:
            ForkServerLostError: There is none, or it is not what was ordered.
        """
        if not self._strict:
            return super().fork(descriptors)
        # Where there was no descriptor left for what answers its filter, nobody knows of whom it speaks.
        if self._groups is None or not self._groups.refuse_waiting():
            self._give_up()
            raise ForkServerLostError("nobody can answer what the template's filter asks")
        self._order(FORK, descriptors)
        allowed = self._allow_a_group(self._groups)
        number = self._answer()
        if number <= 0:
            raise ForkServerLostError(f"the template cannot fork: {os.strerror(-number)}")
        if number != allowed:
            # What it has loaded speaks for it: nobody is to be signalled because it says so.
            self._give_up()
            if allowed:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(allowed, signal.SIGKILL)
            raise ForkServerLostError("the template named a process that it has not forked")
        return number

    def _allow_a_group(self, groups: OwnGroups) -> int:
        """Allow one process a group of its own while the template works; return its number, 0: nobody asked."""
        poller = select.poll()
        poller.register(self._channel, select.POLLIN)
        poller.register(groups.descriptor, select.POLLIN)
        allowed, ends = 0, time.monotonic() + self.patience_s
        while (left := ends - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in poller.poll(left * 1000)}
            if groups.descriptor in ready:
                allowed = groups.answer(allow=not allowed) or allowed
            if self._channel.fileno() in ready:
                break
        return allowed

    def close(self) -> None:
        """Kill it. Its workers live on."""
        self._end()
        self._channel.close()
        self._close_lifeline()
        if self._groups is not None:
            self._groups.close()
        sandbox, self.sandbox = self.sandbox, None
        if sandbox is not None:
            sandbox.let_go()
        self.lost = True

    def _end(self) -> None:
        self.lost = True
        if self._process.returncode is None and not self._ended:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._ended = True  # from here on another thread may reap it: its number is not ours to signal
            reap_soon(self._process)

    def wait(self) -> None:
        """Block until a closed one is gone, with its memory."""
        self._process.wait()

    def forget(self) -> None:
        """Close our ends in a forked copy of the host."""
        super().forget()
        self._close_lifeline()
        if self._groups is not None:
            self._groups.close()

    def _close_lifeline(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

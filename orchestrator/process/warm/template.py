"""The host's side of a template (:mod:`orchestrator_worker.template`).

The process loads a model and forks workers. It dies with the host as a worker does, and it is ended at once, whatever
its load is doing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from orchestrator.process.exit_status import describe_exit
from orchestrator.process.fork_server import ForkServer, ForkServerLostError
from orchestrator_worker.template import LONGEST_MESSAGE, Order, Report


class TemplateProcess(ForkServer):
    """One template. Its workers are asked for, and ask how they ended, as a fork server's."""

    start = "warm"

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], order: Order) -> None:
        """Start it, and tell it what to load.

        Raises:
            OSError: The system refused.
        """
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
        """Return its report once that is there; never waits.

        Raises:
            ForkServerLostError: It is gone; the text says how it ended.
        """
        if not self._has_news():
            return None
        try:
            message = self._channel.recv(LONGEST_MESSAGE)
            report = msgspec.msgpack.decode(message, type=Report) if message else None
        except (OSError, msgspec.DecodeError):
            report = None
        if report is None:
            self._end()
            raise ForkServerLostError(describe_exit(self._process.returncode))
        self._ready = True
        return report

    def close(self) -> None:
        """Kill it. Its workers live on; nobody will know how they end."""
        self._end()
        self._channel.close()
        self._close_lifeline()
        self.lost = True

    def _end(self) -> None:
        self.lost = True
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def forget(self) -> None:
        """Close our ends in a forked copy of the host."""
        super().forget()
        self._close_lifeline()

    def _close_lifeline(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

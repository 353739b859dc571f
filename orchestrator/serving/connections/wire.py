"""The transport under a connection: it counts what a client takes, and is closed without losing an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Wire(asyncio.Transport):
    """A transport that :meth:`close` ends in good order.

    To close a socket that holds bytes nobody has read resets the connection, and the answer that was on its way, such
    as the 413 of an upload that goes on, is lost with it. So while the client ``still_sends``, only our side is ended,
    and what comes is thrown away until the client ends too. Whoever owns the connection hears that it was ``closed``,
    by whomever, and bounds what is left with :meth:`abort`.
    """

    def __init__(
        self, transport: asyncio.Transport, still_sends: Callable[[], bool], closed: Callable[[], None]
    ) -> None:
        super().__init__()
        self._transport = transport
        self._still_sends = still_sends
        self._closed = closed
        self._written = 0
        self.lingers = False
        """Whether it was closed, and only waits for the client's end."""

    @property
    def untaken(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    @property
    def taken(self) -> int:
        """Bytes that went on to the client so far."""
        return self._written - self.untaken

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; none once it is closed."""
        if not self.lingers:
            self._written += len(data)
            self._transport.write(data)

    def close(self) -> None:
        """Send what is to be sent, and end."""
        if self.is_closing():
            return
        if self._still_sends():
            self.lingers = True
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()
        self._closed()

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.lingers or self._transport.is_closing()

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Take nothing for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take what comes."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the socket knows."""
        return self._transport.get_extra_info(name, default)

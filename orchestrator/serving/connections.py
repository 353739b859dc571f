"""Clients that send slowly, or never: no connection stays without a request for long.

uvicorn closes a connection that is silent between two requests. One that sends a header a byte at a time, or that goes
on sending the body of a request that was refused, would stay for ever: each takes a descriptor.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_TIMEOUT_S = 30.0
"""From the first byte to the end of a request's head, and from a refusal to the end of what is still being sent."""
MOST_CONNECTIONS = 1000
"""Beyond that a request is refused at once (503): each connection is a descriptor."""


class BoundedConnection(H11Protocol):
    """A connection that must have a request under way, or be about to: else it is closed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._wait_for_a_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._forget()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what has come; a whole head stops the clock."""
        super().handle_events()
        if self._at_work:
            self._forget()

    def on_response_complete(self) -> None:
        """Start the clock again: for the rest of the body, and the next head."""
        super().on_response_complete()
        if not self.transport.is_closing() and not self._at_work:
            self._wait_for_a_head()

    @property
    def _at_work(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete

    def _wait_for_a_head(self) -> None:
        self._forget()
        self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._too_slow)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing() and not self._at_work:
            self.transport.abort()

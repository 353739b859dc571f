"""Clients that send slowly, or never, that take nothing, or that are gone: none keeps a connection for long.

uvicorn closes a connection that is silent between two requests. One that sends a header a byte at a time, that goes on
sending the body of a request that was refused, or that does not take its answers would stay for ever: each takes a
descriptor. And behind a request at work uvicorn does not read on, so it would not see that the client has left.
"""

from __future__ import annotations

import asyncio
import logging
import select
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestrator.serving.api_errors import ApiError
from orchestrator.serving.connections.wire import Wire
from orchestrator.serving.logs import new_request_id, request_id_of, tell

HEAD_TIMEOUT_S = 30.0
"""From the first byte to the end of a request's head, from a refusal to the end of what is still being sent, and
without that a byte of an answer is taken."""
MOST_HEAD_BYTES = 1 << 16
"""Of a request's head: its first line and its headers, with their line ends."""
HANGUP_LOOK_S = 0.5
"""Between two looks whether the client is still there, while nothing is read from it."""
MOST_CONNECTIONS = 1000
"""Beyond that a request is refused at once (503), unless it asks for health: each connection is a descriptor."""
CROWDED = "orchestrator.crowded"
"""In the scope of a request that came when there were too many connections."""
ANSWERED = "orchestrator.answered"
"""In the scope of a request that was refused here, behind the application's back: the ``ApiError``."""


class _Http(h11.Connection):
    """Bounds a head that comes whole as h11 bounds one that comes in pieces; knows what was asked last."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MOST_HEAD_BYTES)
        self._method = b""

    @property
    def answers_head(self) -> bool:
        """Whether an answer is due that has no body, because HEAD asks for it."""
        return self.our_state is h11.SEND_RESPONSE and self._method == b"HEAD"

    def next_event(self) -> Any:
        """Return what comes next.

        Raises:
            h11.RemoteProtocolError: It is no HTTP, or a head that is too long.
        """
        before = len(self.trailing_data[0]) if self.their_state is h11.IDLE else 0
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._method = event.method
            if before - len(self.trailing_data[0]) > MOST_HEAD_BYTES:
                raise h11.RemoteProtocolError("the head is too long")
        return event


class BoundedConnection(H11Protocol):
    """A connection that must have a request under way, or be about to, and take its answers: else it is closed."""

    transport: Wire  # pyright: ignore[reportIncompatibleVariableOverride]
    conn: _Http  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn = _Http()
        self._deadline: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._taken = 0
        self._usual_app: Any = self.app  # pyright: ignore[reportUnknownMemberType]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(Wire(transport, self._client_still_sends, self._start_clock))
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        super().connection_lost(exc)
        self._stop_clock()
        if self._looking is not None:
            self._looking.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless everything has been said."""
        if not self.transport.lingers:
            super().data_received(data)

    def handle_events(self) -> None:
        """Take what has come; a whole head stops the clock."""
        crowded = len(self.connections) > MOST_CONNECTIONS
        self.app = self._crowded_app if crowded else self._usual_app
        super().handle_events()
        if self._at_work and not self.transport.untaken:
            self._stop_clock()
        if self._looking is None:
            self._look_for_hangup()

    def pause_writing(self) -> None:
        """Start the clock: the client takes less than it is sent."""
        super().pause_writing()
        self._start_clock()

    def on_response_complete(self) -> None:
        """Start the clock again: for the rest of the answer, the rest of the body, and the next head."""
        super().on_response_complete()
        if self.transport.untaken or not self._at_work:
            self._start_clock()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, in the shape of all errors; where an answer has been sent, that is the end of it."""
        del msg
        at_work = self._at_work
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            most = f"{MOST_HEAD_BYTES >> 10} KiB"
            error = ApiError(
                400, f"this is no HTTP request, or its head is longer than {most}", code="invalid_request"
            )
            if at_work:  # who works on it logs it
                scope: dict[str, Any] = self.cycle.scope  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
                scope[ANSWERED] = error
                request_id = request_id_of(scope)
            else:
                request_id = new_request_id()
                facts: dict[str, Any] = {"status": error.status, "code": error.code}
                tell("request", "request", level=logging.INFO, request_id=request_id, **facts)
            self._send_whole(error, request_id)
        if at_work:  # nobody can answer it any more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _send_whole(self, error: ApiError, request_id: str) -> None:
        body = error.body()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("x-request-id", request_id),
            ("connection", "close"),
        ]
        data = [] if self.conn.answers_head else [h11.Data(data=body)]
        for event in (
            h11.Response(status_code=error.status, headers=headers, reason=b"Bad Request"),
            *data,
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")

    @property
    def _at_work(self) -> bool:
        """Whether somebody may still answer: not behind a close, whether or not the answer came to its end."""
        if self.transport.is_closing():
            return False
        return bool(self.cycle) and not (self.cycle.response_complete or self.cycle.disconnected)

    def _client_still_sends(self) -> bool:
        return self.conn.their_state in {h11.SEND_BODY, h11.ERROR}

    async def _crowded_app(
        self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        scope[CROWDED] = True
        await self._usual_app(scope, receive, send)

    # ------------------------------------------------------------------ the clock

    def _start_clock(self) -> None:
        self._stop_clock()
        self._taken = self.transport.taken
        self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._time_is_over)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_is_over(self) -> None:
        self._deadline = None
        if self.transport.untaken and self.transport.taken > self._taken:
            self._start_clock()  # slowly, but it is taken
        elif self.transport.untaken or not self._at_work:
            self.transport.abort()

    # ------------------------------------------------------------------ who has left

    def _look_for_hangup(self) -> None:
        """See whether a client has left from whom nothing is read: it has sent more behind a request at work."""
        self._looking = None
        if not (self._at_work and self.flow.read_paused) or self.transport.is_closing():
            return
        if _has_hung_up(self.transport.get_extra_info("socket").fileno()):
            self.transport.abort()
            return
        self._looking = self.loop.call_later(HANGUP_LOOK_S, self._look_for_hangup)


def _has_hung_up(descriptor: int) -> bool:
    """Whether a socket's other side has ended, though there are bytes of it that nobody has read."""
    look = select.poll()
    look.register(descriptor, getattr(select, "POLLRDHUP", 0))
    return bool(look.poll(0))

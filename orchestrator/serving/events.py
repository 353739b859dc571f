"""Text while it comes, as server-sent events with OpenAI's names.

::

    event: transcript.text.delta        {"type": …, "delta": " more text"}
    event: transcript.text.done         {"type": …, "text": "the whole", "usage": {…}}
    [DONE]                              what OpenAI's streams end with; no JSON, and no name
    event: error                        {"error": {…}}: the request failed after its answer had begun

What was sent cannot be taken back. So text goes out as an engine gives it only while nothing is done to it later:
Chinese waits until a piece of the recording is whole, and so does text that the engine has revised.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.types import Send

from orchestrator.pipeline import Document, PartialText
from orchestrator.pipeline.scripts import is_unspaced, joint
from orchestrator.serving.answers import usage
from orchestrator.serving.api_errors import ApiError
from orchestrator.text.chinese import ChineseText, write_chinese

HEARTBEAT_S = 15.0
"""Without an event for so long a comment is sent: proxies cut connections that are silent."""


class Deltas:
    """Makes deltas of the text of pieces. What all of them give, put together, is the text of the document."""

    def __init__(self, language: str | None, chinese: ChineseText) -> None:
        self._language = language
        self._chinese: ChineseText = chinese
        self._last = ""
        self._piece = ""
        self._sent = ""
        self._held = False

    def take(self, told: PartialText) -> str:
        """Return what is to be sent now; may be empty."""
        if told.done:
            text = told.chunk.text.strip()
            written = write_chinese(text, self._language, self._chinese)
            whole = text if written is None else written.itn
            delta = self._next(whole) if whole.startswith(self._sent) else ""
            self._piece, self._sent, self._held = "", "", False
            return delta
        chunk = told.chunk
        kept = max(0, len(self._piece) - chunk.replaces)
        self._piece = self._piece[:kept] + chunk.text
        self._held = self._held or chunk.replaces > 0 or any(map(is_unspaced, chunk.text))
        return "" if self._held else self._next(self._piece.strip())

    def _next(self, text: str) -> str:
        new = text[len(self._sent) :]
        if not new:
            return ""
        between = joint(self._last, new[0]) if self._last and not self._sent else ""
        self._sent = text
        self._last = new[-1]
        return between + new


class EventSender:
    """Sends events as the body of one response. ``started`` says whether its status has gone out."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def start(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Send status and headers."""
        named = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        self.started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": [*named, *headers]})

    async def delta(self, text: str) -> None:
        """Send text that is new."""
        await self._event("transcript.text.delta", {"type": "transcript.text.delta", "delta": text})

    async def done(self, document: Document) -> None:
        """Send the whole, and end the response."""
        whole = {"type": "transcript.text.done", "text": document.text, "usage": usage(document)}
        await self._event("transcript.text.done", whole)
        await self._body(b"data: [DONE]\n\n")
        await self.end()

    async def heartbeat(self) -> None:
        """Send a comment."""
        await self._body(b": still at work\n\n")

    async def failed(self, error: ApiError) -> None:
        """Say that the request failed, and end the response."""
        await self._event("error", {"error": error.facts()})
        await self.end()

    async def end(self) -> None:
        """End the response."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _event(self, name: str, content: dict[str, Any]) -> None:
        line = json.dumps(content, ensure_ascii=False).encode(errors="replace")
        await self._body(b"event: " + name.encode() + b"\ndata: " + line + b"\n\n")

    async def _body(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

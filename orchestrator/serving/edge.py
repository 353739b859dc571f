"""What happens to every request, whatever it asks for: an id, its key, one line in the log, errors as answers."""

from __future__ import annotations

import logging
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.serving.access import OPEN_PATHS, key_of, refuse_strangers
from orchestrator.serving.api_errors import ApiError, api_error_of, busy
from orchestrator.serving.connections.bounded import ANSWERED, CROWDED
from orchestrator.serving.logs import request_id_of, tell
from orchestrator.serving.service import Service

CLIENT_LEFT = 499
"""In the log: the client went away before it had its answer (nginx's number)."""
_HEALTH = frozenset({"/health", "/health/live", "/health/ready"})
_QUIET = _HEALTH | {"/metrics", "/v1/pool"}
"""What is asked every few seconds is not logged while all is well."""


class Edge:
    """The outermost layer of the application.

    Args:
        app: What answers.
        service: Its settings have the keys.
        own_host: The address that the server listens on.
        open_to_all: No key, and any host and page may ask (``--insecure``).
    """

    def __init__(self, app: ASGIApp, service: Service, *, own_host: str, open_to_all: bool) -> None:
        self._app = app
        self._service = service
        self._own_host = own_host
        self._open_to_all = open_to_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = _Answer(scope, send)
        headers = Headers(scope=scope)
        scope["app"] = self  # so that the router raises for what it does not know, in place of plain text
        scope["orchestrator"] = answer.facts
        try:
            self._admit(scope, headers, answer)
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            answer.status = CLIENT_LEFT
        except Exception as error:  # noqa: BLE001 - one request's fault is never another's
            await self._refuse(error, answer, scope, receive)
        finally:
            answer.log()

    def _admit(self, scope: Scope, headers: Headers, answer: _Answer) -> None:
        """Refuse who may not ask; note who does."""
        if scope.get(CROWDED) and scope["path"] not in _HEALTH:  # a crowd is no reason to replace the process
            crowded = busy("too many connections; close some, or ask later", "server_overloaded", 503)
            crowded.headers["Connection"] = "close"
            raise crowded
        keys = self._service.keys
        if not keys and not self._open_to_all:
            refuse_strangers(headers.get("host"), headers.get("origin"), own_host=self._own_host)
        if scope["path"] in OPEN_PATHS:
            return
        key = key_of(headers.get("authorization"), keys)
        scope["orchestrator.priority"] = 0 if key is None else key.priority
        if key is not None:
            answer.facts["key"] = key.name

    async def _refuse(self, error: Exception, answer: _Answer, scope: Scope, receive: Receive) -> None:
        known = _of_router(error) if isinstance(error, HTTPException) else api_error_of(error)
        if known is None:
            known = ApiError(
                500, "the server failed; its log has the reason under this request id", code="internal"
            )
            tell(
                "failure",
                f"request {answer.request_id} failed: {error}",
                level=logging.ERROR,
                error=error,
                request_id=answer.request_id,
            )
        elif known.status >= 500:
            answer.facts["reason"] = " / ".join(str(error).splitlines()[:6])
        answer.facts["code"] = known.code
        if not answer.started:
            response = Response(known.body(), known.status, known.headers, "application/json")
            await response(scope, receive, answer.send)


def _of_router(error: HTTPException) -> ApiError:
    message, code = {
        404: ("there is no such address on this server", "not_found"),
        405: ("this address does not take that method", "method_not_allowed"),
    }.get(error.status_code, (error.detail, None))
    return ApiError(
        error.status_code,
        message,
        code=code,
        headers=error.headers,
    )


class _Answer:
    """The answer to one request: adds its id, notes its status."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.request_id = request_id_of(scope)
        self.facts: dict[str, Any] = {}
        self.status = 0
        self.started = False
        self._scope = scope
        self._path: str = scope["path"]
        self._method: str = scope["method"]
        self._send = send
        self._began_s = time.monotonic()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["x-request-id"] = self.request_id
            headers["x-content-type-options"] = "nosniff"
            headers.setdefault("cache-control", "no-store")
        await self._send(message)

    def log(self) -> None:
        refusal: ApiError | None = self._scope.get(ANSWERED)
        if refusal is not None:  # that is what the client has, whatever became of the application
            self.status = refusal.status
            self.facts["code"] = refusal.code
        if self._path in _QUIET and self.status < 400:
            return
        seconds = time.monotonic() - self._began_s
        status = self.status or CLIENT_LEFT
        tell(
            "request",
            "request",
            request_id=self.request_id,
            method=self._method,
            path=self._path[:200],
            status=status,
            duration_s=round(seconds, 4),
            **{name: value for name, value in self.facts.items() if value is not None},
        )

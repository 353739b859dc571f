"""Connections to clients that leave, take nothing, or send what nobody asked for. Real sockets, toy applications."""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs the extra 'serve'")
pytest.importorskip("starlette", reason="needs the extra 'serve'")

import uvicorn
from uvicorn.server import ServerState

from orchestrator.serving.connections import bounded
from orchestrator.serving.connections.bounded import CROWDED, BoundedConnection
from orchestrator.serving.edge import Edge

PATIENCE_S = 30.0
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
App = Callable[[Any, Any, Any], Awaitable[None]]


@asynccontextmanager
async def served(app: App) -> AsyncGenerator[tuple[int, Any]]:
    """Serve an application on a free port; give that, and what uvicorn knows of its connections."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=BoundedConnection, ws="none", lifespan="off", log_config=None)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = SimpleNamespace(state={})
    state = server.server_state
    loop = asyncio.get_running_loop()
    running = await loop.create_server(
        lambda: BoundedConnection(config=config, server_state=state, app_state={}), sock=listening
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield listening.getsockname()[1], state
    finally:
        running.close()
        for connection in tuple(state.connections):
            connection.transport.abort()
        await until(lambda: not state.connections and not state.tasks)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def answer(send: Any, body: bytes = b"", status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@pytest.mark.parametrize("more", [b"\r\n", GET, b"x"], ids=["a line end", "a request", "anything"])
def test_a_client_that_leaves_is_missed_though_it_has_sent_more_behind_its_request(more: bytes) -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async def whole() -> None:
        async with served(app) as (port, state):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            await begun.wait()
            writer.write(more)
            (connection,) = state.connections
            await until(lambda: connection.flow.read_paused)
            writer.close()
            await left.wait()

    asyncio.run(whole())


def test_who_takes_no_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "HEAD_TIMEOUT_S", 0.3)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, bytes(1 << 20))

    async def whole() -> None:
        async with served(app) as (port, state):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(GET * 20)
                await until(lambda: any(each.flow.write_paused for each in state.connections))
                await until(lambda: not state.connections and not state.tasks)

    asyncio.run(whole())


class Socket(asyncio.Transport):
    """A transport that keeps what is written until it is told to let it go."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize(("taken", "goes_on"), [(1, True), (0, False)])
def test_who_takes_an_answer_slowly_gets_it(taken: int, goes_on: bool) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None: ...

    async def whole() -> None:
        config = uvicorn.Config(app, http=BoundedConnection, ws="none", lifespan="off", log_config=None)
        connection = BoundedConnection(config, ServerState(), {})
        inner = Socket()
        connection.connection_made(inner)
        connection.transport.write(bytes(100_000))
        connection.pause_writing()
        inner.waiting -= taken
        connection.transport.write(b"an event")
        clock: Any = connection
        clock._time_is_over()
        assert inner.aborted is not goes_on
        connection.connection_lost(ConnectionResetError())

    asyncio.run(whole())


@pytest.mark.parametrize("version", [10, 11])
def test_a_refusal_reaches_who_still_sends(version: int) -> None:
    """To close at once would reset the connection: the client would see a broken pipe in place of the refusal."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, b"too large", 413)

    def ask(port: int) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection._http_vsn = version  # type: ignore[attr-defined]
        connection._http_vsn_str = f"HTTP/1.{version - 10}"  # type: ignore[attr-defined]
        connection.request("POST", "/", bytes(30_000_000), {"connection": "close"})
        response = connection.getresponse()
        try:
            return response.status, response.read()
        finally:
            connection.close()

    async def whole() -> None:
        async with served(app) as (port, state):
            assert await asyncio.to_thread(ask, port) == (413, b"too large")
            await until(lambda: not state.connections)

    asyncio.run(whole())


async def send_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(100))
        await writer.drain()
        await asyncio.sleep(0.01)


def test_who_goes_on_sending_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "HEAD_TIMEOUT_S", 0.3)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, b"no", 413)

    async def whole() -> None:
        async with served(app) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST + b"connection: close\r\ncontent-length: 1000000000\r\n\r\n")
            assert (await reader.read()).endswith(b"no"), "our side has ended"
            with pytest.raises(ConnectionError):
                await send_for_ever(writer)

    asyncio.run(whole())


def test_a_body_that_breaks_behind_its_answer_is_no_failure_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, b"not here", 404)

    async def whole() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with served(app) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
            await reader.readuntil(b"not here")
            writer.write(b"no number\r\n")
            assert await reader.read() == b""
            writer.close()

    failures: list[Any] = []
    asyncio.run(whole())
    assert not failures
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_body_that_breaks_ends_its_request_at_once() -> None:
    heard: list[str] = []

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            heard.append(message["type"])
        heard.append("http.disconnect")

    async def whole() -> None:
        async with served(app) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
            await until(lambda: bool(heard))
            writer.write(b"no number\r\n")
            said = await reader.read()
            assert said.startswith(b"HTTP/1.1 400")
            assert b'"code": "invalid_request"' in said
            await until(lambda: heard[-1] == "http.disconnect")  # the client is still there
            writer.close()

    asyncio.run(whole())


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"a" * 200_000])
def test_what_is_no_http_is_answered_in_the_shape_of_errors_and_logged(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None: ...

    async def whole() -> bytes:
        async with served(app) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            said = await reader.read()
            writer.close()
            return said

    caplog.set_level(logging.INFO, "orchestrator.serving")
    said = asyncio.run(whole())
    assert b"content-type: application/json" in said
    (line,) = [record for record in caplog.records if record.name == "orchestrator.serving"]
    facts: Any = line.__dict__["facts"]
    assert b"x-request-id: " + facts["request_id"].encode() in said
    assert facts["status"] == 400


def test_a_crowd_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_CONNECTIONS", 2)

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, b"crowded" if scope.get(CROWDED) else b"welcome")

    async def whole() -> None:
        async with served(app) as (port, state):
            pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            reader, writer = pairs[0]
            await until(lambda: len(state.connections) == 3)
            writer.write(GET)
            await reader.readuntil(b"crowded")
            pairs[1][1].close()
            await until(lambda: len(state.connections) == 2)
            writer.write(GET)
            await reader.readuntil(b"welcome")
            for _, each in pairs:
                each.close()

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/models", 503), ("/", 503), ("/health/live", 200), ("/health/ready", 200)]
)
def test_a_crowd_is_refused_and_health_is_not(path: str, status: int) -> None:
    sent: list[Any] = []

    async def inner(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send)

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "path": path,
        "method": "GET",
        "headers": [(b"host", b"localhost")],
        CROWDED: True,
    }
    service: Any = SimpleNamespace(keys=())
    asyncio.run(Edge(inner, service, own_host="localhost", open_to_all=False)(scope, receive, send))
    assert sent[0]["status"] == status
    headers = dict(sent[0]["headers"])
    assert (b"retry-after" in headers) == (headers.get(b"connection") == b"close") == (status == 503)

"""Connections to clients that leave, take nothing, or send what nobody asked for. Real sockets, toy applications."""

from __future__ import annotations

import asyncio
import http.client
import socket
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs the extra 'serve'")
pytest.importorskip("starlette", reason="needs the extra 'serve'")

import uvicorn
from served_apps import GET, PATIENCE_S, POST, answer, served, until
from uvicorn.server import ServerState

from orchestrator.serving.connections import bounded
from orchestrator.serving.connections.bounded import CROWDED, BoundedConnection
from orchestrator.serving.edge import Edge


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


@pytest.mark.parametrize("sends", [True, False])
def test_an_answer_without_its_end_keeps_no_connection(sends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application returns in the middle of its answer, and the body of the request still comes, or never does."""
    monkeypatch.setattr(bounded, "HEAD_TIMEOUT_S", 0.3)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half of it", "more_body": True})

    async def whole() -> None:
        async with served(app) as (port, state):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST + b"content-length: 1000000000\r\n\r\n")
            await reader.readuntil(b"half of it")
            if sends:
                with pytest.raises(ConnectionError):
                    await send_for_ever(writer)
            await until(lambda: not state.connections)
            writer.close()

    asyncio.run(whole())


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

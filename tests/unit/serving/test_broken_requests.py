"""What is no HTTP, or stops being it in the middle: answered once, logged once, and nothing of ours fails."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs the extra 'serve'")
pytest.importorskip("starlette", reason="needs the extra 'serve'")

from served_apps import GET, POST, answer, served, until
from starlette.requests import ClientDisconnect

from orchestrator.serving.connections.bounded import MOST_HEAD_BYTES
from orchestrator.serving.edge import Edge

CHUNKED = b" / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n"


async def nothing(_scope: Any, _receive: Any, _send: Any) -> None: ...


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the facts of each line in the server's log."""
    lines = [record for record in caplog.records if record.name == "orchestrator.serving"]
    return [record.__dict__["facts"] for record in lines]


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


@pytest.mark.parametrize("packets", [1, 2])
@pytest.mark.parametrize("method", [b"POST", b"HEAD"])
def test_a_body_that_breaks_ends_its_request_at_once(
    method: bytes, packets: int, caplog: pytest.LogCaptureFixture
) -> None:
    """HEAD is answered without a body: to send one raised in the middle of the connection."""
    heard: list[str] = []

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            heard.append(message["type"])
        heard.append("http.disconnect")

    async def whole() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with served(app) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            good, bad = method + CHUNKED + b"\r\n5\r\nhello\r\n", b"no number\r\n"
            if packets == 1:
                writer.write(good + bad)
            else:
                writer.write(good)
                await until(lambda: bool(heard))
                writer.write(bad)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400")
            assert (b'"code": "invalid_request"' in body) if method == b"POST" else body == b""
            await until(lambda: heard[-1:] == ["http.disconnect"])  # the client is still there
            writer.close()

    failures: list[Any] = []
    asyncio.run(whole())
    assert not failures
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("packets", [1, 2])
@pytest.mark.parametrize("given", ["", "of-the-client"])
def test_the_id_of_a_broken_request_is_that_of_its_one_line_in_the_log(
    given: str, packets: int, caplog: pytest.LogCaptureFixture
) -> None:
    begun = asyncio.Event()

    async def inner(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            begun.set()
        raise ClientDisconnect

    async def whole() -> bytes:
        service: Any = SimpleNamespace(keys=())
        app = Edge(inner, service, own_host="localhost", open_to_all=True)
        async with served(app) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            own = f"x-request-id: {given}\r\n".encode() if given else b""
            writer.write(b"POST" + CHUNKED + own + b"\r\n5\r\nhello\r\n" + b"zz\r\n" * (packets == 1))
            if packets == 2:
                await begun.wait()
                writer.write(b"zz\r\n")
            said = await reader.read()
            await until(lambda: bool(logged(caplog)))
            writer.close()
            return said

    caplog.set_level(logging.INFO, "orchestrator.serving")
    said = asyncio.run(whole())
    (facts,) = logged(caplog)
    assert b"x-request-id: " + facts["request_id"].encode() + b"\r\n" in said
    assert given in {"", facts["request_id"]}
    assert (facts["status"], facts["code"], facts["method"]) == (400, "invalid_request", "POST")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"a" * 200_000])
def test_what_is_no_http_is_answered_in_the_shape_of_errors_and_logged(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def whole() -> bytes:
        async with served(nothing) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            said = await reader.read()
            writer.close()
            return said

    caplog.set_level(logging.INFO, "orchestrator.serving")
    said = asyncio.run(whole())
    assert b"content-type: application/json" in said
    (facts,) = logged(caplog)
    assert b"x-request-id: " + facts["request_id"].encode() in said
    assert facts["status"] == 400


@pytest.mark.parametrize("piece", [1 << 20, 10_000])
@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 400)])
@pytest.mark.parametrize("before", [b"", GET], ids=["first", "second"])
def test_a_head_is_bounded_whether_it_comes_whole_or_in_pieces(
    before: bytes, more: int, status: int, piece: int
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send)

    async def whole() -> None:
        async with served(app) as (port, state):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await until(lambda: bool(state.connections))
            (connection,) = state.connections
            if before:
                writer.write(before)
                await reader.readuntil(b"\r\n\r\n")
            head = GET[:-2] + b"x: "
            head += b"a" * (MOST_HEAD_BYTES + more - len(head) - 4) + b"\r\n\r\n"
            assert len(head) == MOST_HEAD_BYTES + more
            for start in range(0, len(head), piece):
                connection.data_received(head[start : start + piece])  # what one packet holds is ours to say
            said = await reader.readuntil(b"\r\n\r\n")
            assert said.startswith(b"HTTP/1.1 %d" % status)
            writer.close()

    asyncio.run(whole())

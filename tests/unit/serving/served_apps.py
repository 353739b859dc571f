"""Toy applications behind our connections, on real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import uvicorn

from orchestrator.serving.connections.bounded import BoundedConnection

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

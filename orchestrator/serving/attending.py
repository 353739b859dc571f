"""Work for a client that may go away, and that has so much time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from orchestrator.serving.api_errors import out_of_time

T = TypeVar("T")


async def attended(receive: Receive, work: Coroutine[Any, Any, T], limit_s: float) -> T:
    """Return what ``work`` returns; it is cancelled when its client goes away, or after ``limit_s`` seconds.

    ``receive`` is that of a request whose body has been read.

    Raises:
        ClientDisconnect: The client has gone.
        ApiError: 504; it took longer.
        Exception: What the work raised.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ClientDisconnect
        raise out_of_time(limit_s)
    finally:
        for each in (task, gone):
            each.cancel()
        await _ended(task, gone)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    """Wait for tasks that were cancelled, though we be cancelled ourselves: what they use is taken away behind us."""
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError:
            continue
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at: asyncio need not complain of it

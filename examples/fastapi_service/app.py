"""A speech recognition service: audio in, text by server-sent events, with limits and a graceful stop."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

from orchestrator import AsyncPool, OrchestratorError, Recycle, Transcribe

MOST_BYTES = 50 * 1024 * 1024
MOST_REQUESTS = 32
JOB_TIMEOUT_S = 120.0
GRACE_S = 30.0


def create_app(
    *, most_bytes: int = MOST_BYTES, most_requests: int = MOST_REQUESTS, **pool_options: Any
) -> FastAPI:
    """Return the application. ``pool_options`` are those of ``AsyncPool``; the model is its ``asr-small``."""
    under_way = 0

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = AsyncPool(**pool_options)
        app.state.pool = pool
        try:
            yield
        finally:
            if not await pool.close(GRACE_S):
                await pool.stop()

    app = FastAPI(title="speech recognition", lifespan=lifespan)

    @app.post("/transcribe")
    async def transcribe(request: Request, language: str | None = None) -> StreamingResponse:
        nonlocal under_way
        if under_way >= most_requests:
            raise HTTPException(503, "too many requests under way", headers={"Retry-After": "5"})
        under_way += 1
        try:
            audio = await _body(request, most_bytes)
        except BaseException:
            under_way -= 1
            raise

        async def events() -> AsyncIterator[str]:
            nonlocal under_way
            try:
                async for event in _recognised(app.state.pool, audio, language):
                    yield event
            finally:
                under_way -= 1

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.get("/health")
    async def health() -> dict[str, Any]:
        stats = await app.state.pool.stats()
        workers = [slot.worker for slot in stats.slots if slot.worker is not None]
        return {
            "queue": stats.queue_length,
            "running": stats.running,
            "workers": [
                {"model": each.model, "rss_mb": each.rss_bytes >> 20, "jobs": each.jobs} for each in workers
            ],
            "exits": stats.exits,
        }

    return app


async def _body(request: Request, most_bytes: int) -> bytes:
    """Read the body, and give up at the first byte too many."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise HTTPException(413, f"at most {most_bytes} bytes of audio")
        parts.append(part)
    if not size:
        raise HTTPException(400, "send an audio file as the body")
    return b"".join(parts)


async def _recognised(pool: AsyncPool, audio: bytes, language: str | None) -> AsyncIterator[str]:
    """Yield the events of one job. Closed early (the client hung up), the stream cancels its job."""
    try:
        async with pool.stream(Transcribe("asr-small", audio, language), timeout_s=JOB_TIMEOUT_S) as stream:
            async for chunk in stream:
                yield _event("text", {"text": chunk.text, "replaces": chunk.replaces})
            result = await stream.result()
    except OrchestratorError as error:
        yield _event("error", {"message": str(error)})
        return
    yield _event(
        "result", {"text": result.text, "language": result.language, "run_s": round(result.timings.run_s, 3)}
    )


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


if os.environ.get("ORCHESTRATOR_EXAMPLE_APP", "1") == "1":
    app = create_app(
        config="experiments.toml",
        profile="auto",
        workers=2,
        recycle=Recycle(max_jobs=200, max_rss="2GiB"),
        max_queue=64,
    )

"""The endpoints that take recordings: transcripts, alignments, and translations, which no model here can make.

In order: is there room (429), is it too large by its own word (413), the upload, the fields (400, 404), a place (429),
decoding (400, 413), the pipeline. A client that goes away is noticed at each point, and its job stopped.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestrator.errors import OrchestratorError
from orchestrator.pipeline import AlignWords, GivenText, PartialText, Step
from orchestrator.pipeline.assembly import transcription_steps
from orchestrator.serving.answers import alignment_answer, transcript_answer
from orchestrator.serving.api_errors import ApiError, api_error_of
from orchestrator.serving.attending import attended
from orchestrator.serving.configuration import Loaded
from orchestrator.serving.events import HEARTBEAT_S, Deltas, EventSender
from orchestrator.serving.fields import (
    AlignRequest,
    TranscriptRequest,
    align_request,
    transcript_request,
)
from orchestrator.serving.running import Running
from orchestrator.serving.service import Service
from orchestrator.serving.uploads import Form, check_announced, receive_form

LAST_WORD_S = 5.0
"""Seconds for the news that a stream has failed; then its connection is closed."""
IGNORED = "x-orchestrator-ignored"
"""The header that names what of a request had no effect."""


class _Endpoint(ABC):
    """Receives a form, then works on it for as long as its client is there."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service = self._service
        request = Request(scope, receive)
        service.refuse_full()
        settings = service.loaded.settings
        check_announced(request.headers, settings.max_upload_bytes)
        async with service.folder() as folder:
            form = await receive_form(
                request.headers,
                request.stream(),
                folder,
                most_bytes=settings.max_upload_bytes,
                timeout_s=settings.upload_timeout_s,
            )
            scope["orchestrator"]["bytes"] = form.size_bytes
            await self._answer(form, scope, receive, send)

    @abstractmethod
    async def _answer(self, form: Form, scope: Scope, receive: Receive, send: Send) -> None:
        """Do what the form asks for, and send the answer."""

    @asynccontextmanager
    async def _opened(
        self,
        loaded: Loaded,
        steps: list[Step],
        recording: Path,
        scope: Scope,
        on_text: Callable[[PartialText], None] | None = None,
    ) -> AsyncGenerator[Running]:
        """Give the decoded recording, ready to be worked on; the service can stop it meanwhile."""
        running = Running(
            loaded.place,
            steps,
            recording,
            priority=scope.get("orchestrator.priority", 0),
            longest_s=loaded.settings.max_audio_s,
            on_text=on_text,
        )
        loaded.running.add(running)
        try:
            scope["orchestrator"]["audio_s"] = round(await running.open(), 3)
            yield running
        finally:
            loaded.running.discard(running)


class Transcriptions(_Endpoint):
    """``POST /v1/audio/transcriptions``."""

    async def _answer(self, form: Form, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._service.loaded.settings
        recording = form.recording()
        events = EventSender(send)

        async def work() -> Response | None:
            async with self._service.entry() as loaded:
                request = transcript_request(form, loaded.configuration.offer)
                scope["orchestrator"]["model"] = request.model
                if request.stream:
                    await self._stream(loaded, request, recording, scope, events)
                    return None
                steps = _steps(loaded, request)
                async with self._opened(loaded, steps, recording, scope) as running:
                    document = await running.finish()
                response = transcript_answer(document, request)
                response.headers.update(_ignored(request))
                return response

        try:
            response = await attended(receive, work(), settings.timeout_s)
        except ClientDisconnect:
            raise
        except Exception as error:
            if events.started:
                told = api_error_of(error) or ApiError(500, "the server failed", code="internal")
                with suppress(TimeoutError):  # it may be one that takes nothing any more
                    async with asyncio.timeout(LAST_WORD_S):
                        await events.failed(told)
            raise
        if response is not None:
            await response(scope, receive, send)

    async def _stream(
        self,
        loaded: Loaded,
        request: TranscriptRequest,
        recording: Path,
        scope: Scope,
        events: EventSender,
    ) -> None:
        """Send text while it comes. The status goes out after decoding: what fails before has its own."""
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[PartialText | None] = asyncio.Queue()

        def on_text(partial: PartialText) -> None:
            loop.call_soon_threadsafe(told.put_nowait, partial)

        deltas = Deltas(request.language, loaded.settings.chinese)
        async with self._opened(loaded, _steps(loaded, request), recording, scope, on_text) as running:
            headers = [(name.encode(), value.encode()) for name, value in _ignored(request).items()]
            await events.start(headers)
            finishing = asyncio.ensure_future(running.finish())
            finishing.add_done_callback(lambda _: told.put_nowait(None))
            try:
                while (partial := await _next(told, events.heartbeat)) is not None:
                    if text := deltas.take(partial):
                        await events.delta(text)
                await events.done(await finishing)
            finally:
                if not finishing.done():
                    finishing.cancel()
                    await asyncio.wait([finishing])


class Alignments(_Endpoint):
    """``POST /v1/align``."""

    async def _answer(self, form: Form, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._service.loaded.settings
        recording = form.recording()

        async def work() -> Response:
            async with self._service.entry() as loaded:
                request = align_request(form, loaded.configuration.offer)
                scope["orchestrator"]["model"] = request.aligner
                async with self._opened(loaded, _aligning(request), recording, scope) as running:
                    return alignment_answer(await running.finish())

        response = await attended(receive, work(), settings.timeout_s)
        await response(scope, receive, send)


async def translations(request: Request) -> Response:
    """Answer ``POST /v1/audio/translations``: no model here translates."""
    del request
    raise ApiError(
        400,
        "no model of this server translates; POST /v1/audio/transcriptions gives the text in its own language",
        code="unsupported_task",
        param="model",
    )


def _steps(loaded: Loaded, request: TranscriptRequest) -> list[Step]:
    aligner = loaded.settings.aligner
    if request.words and aligner is None:
        message = "this server has no model that gives words their times; [serve] aligner names one"
        raise ApiError(400, message, code="unsupported_task", param="timestamp_granularities[]")
    words = request.words or request.response_format in {"srt", "vtt"}
    return transcription_steps(
        request.model,
        request.language,
        aligner=aligner if words else None,
        times=request.shows_times,
        chinese=loaded.settings.chinese,
        options={} if request.prompt is None else {"prompt": request.prompt},
    )


def _aligning(request: AlignRequest) -> list[Step]:
    given = GivenText(request.text, request.language, request.heard_by)
    return [given, AlignWords(request.aligner, request.language, ends_on=_is_of_the_request)]


def _is_of_the_request(error: OrchestratorError) -> bool:
    """Whether no piece can be aligned, for what was asked: times that nobody found would be no answer to that."""
    told = api_error_of(error)
    return told is not None and told.status == 400


def _ignored(request: TranscriptRequest) -> dict[str, str]:
    return {IGNORED: "prompt"} if request.prompt_ignored else {}


async def _next(
    told: asyncio.Queue[PartialText | None], heartbeat: Callable[[], Awaitable[None]]
) -> PartialText | None:
    while True:
        try:
            return await asyncio.wait_for(told.get(), HEARTBEAT_S)
        except TimeoutError:
            await heartbeat()

"""A document in the response formats of OpenAI's API. Times in seconds.

What our engines do not tell (log probabilities, tokens) is null or empty, never made up.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from starlette.responses import Response

from orchestrator.pipeline import Document, Segment, render
from orchestrator.serving.fields import TranscriptRequest
from orchestrator_worker.language_names import language_name
from orchestrator_worker.protocol import Word

MEDIA_TYPES = {"srt": "application/x-subrip; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}


def transcript_answer(document: Document, request: TranscriptRequest) -> Response:
    """Return the answer to a request for a transcript, in the format that it asks for."""
    match request.response_format:
        case "json":
            return json_answer({"text": document.text, "usage": usage(document)})
        case "verbose_json":
            return json_answer(_verbose(document, request))
        case "text":
            return Response(
                f"{document.text}\n".encode(errors="replace"), media_type="text/plain; charset=utf-8"
            )
        case "srt" | "vtt":
            content = render(document, request.response_format).encode(errors="replace")
            return Response(content, media_type=MEDIA_TYPES[request.response_format])


def alignment_answer(document: Document) -> Response:
    """Return the answer to a request for the times of words."""
    return json_answer(
        {
            "duration": document.duration_ms / 1000,
            "language": _language(document, None),
            "text": document.text,
            "words": [{**_word(word), "timing": word.timing} for word in document.words],
            "skipped": [word for segment in document.segments for word in segment.skipped],
            "notes": document.notes,
        }
    )


def json_answer(content: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode(errors="replace")
    return Response(body, status, media_type="application/json")


def usage(document: Document) -> dict[str, Any]:
    """Return what OpenAI's clients count: seconds of audio."""
    return {"type": "duration", "seconds": document.duration_ms / 1000}


def _verbose(document: Document, request: TranscriptRequest) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": _language(document, request.language),
        "duration": document.duration_ms / 1000,
        "text": document.text,
        "usage": usage(document),
    }
    if request.segments:
        answer["segments"] = [_segment(number, each) for number, each in enumerate(document.segments)]
    if request.words:
        answer["words"] = [_word(word) for word in document.words]
    if request.subtitles:
        answer["subtitles"] = {name: render(document, name) for name in ("srt", "vtt")}
    return answer


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": segment.start_ms // 10,
        "start": segment.start_ms / 1000,
        "end": segment.end_ms / 1000,
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": None,
        "compression_ratio": _compression_ratio(segment.text),
        "no_speech_prob": None,
    }


def _compression_ratio(text: str) -> float:
    """Return how well a text can be compressed, as Whisper counts: high where a model repeats itself."""
    data = text.encode(errors="replace")
    return round(len(data) / len(zlib.compress(data)), 4)


def _word(word: Word) -> dict[str, Any]:
    return {"word": word.text, "start": word.start_ms / 1000, "end": word.end_ms / 1000}


def _language(document: Document, asked: str | None) -> str | None:
    """Return a language's English name in lower case, as OpenAI does; None when nobody knows."""
    name = language_name(document.language or asked)
    return None if name is None else name.lower()

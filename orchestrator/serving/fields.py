"""What a request for a transcript or an alignment says: each field checked, with the value that was found.

Of a request only these reach an engine: the samples of the recording, a language's name, and as text the prompt or
what is to be aligned. A path, an address or an option never does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.config.wording import name_hint
from orchestrator.serving.api_errors import ApiError
from orchestrator.serving.settings import WELL_KNOWN
from orchestrator.serving.uploads import Form

ResponseFormat = Literal["json", "text", "srt", "vtt", "verbose_json"]
FORMATS: tuple[ResponseFormat, ...] = ("json", "text", "srt", "vtt", "verbose_json")
GRANULARITIES = ("word", "segment")
TAKE_A_PROMPT = frozenset({"faster-whisper"})
"""Engines that can be told what was said before; others do their work without."""
MOST_PROMPT = 4096
_LANGUAGE = re.compile(r"[A-Za-z]{2,20}([-_][A-Za-z0-9]{1,8}){0,3}")
_TRUE = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a server has for requests: its models with their engines, other names for them, its defaults."""

    engines: Mapping[str, str]
    aliases: Mapping[str, str]
    model: str
    aligner: str | None

    def named(self, name: str | None, default: str) -> str:
        """Return the model that a request asks for.

        Raises:
            ApiError: 404; there is none of that name.
        """
        if name is None:
            return default
        name = self.aliases.get(name, name)
        if name in self.engines:
            return name
        if name == WELL_KNOWN:
            return default
        there = name_hint(name, [*self.engines, *self.aliases])
        raise ApiError(
            404, f"there is no model {name[:80]!r} ({there})", code="model_not_found", param="model"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptRequest:
    """A request for a transcript. ``prompt`` None: none was sent, or the model takes none (``prompt_ignored``)."""

    model: str
    language: str | None
    prompt: str | None
    prompt_ignored: bool
    response_format: ResponseFormat
    words: bool
    segments: bool
    subtitles: bool
    stream: bool

    @property
    def shows_times(self) -> bool:
        """Whether the answer says when something was said."""
        return self.response_format in {"srt", "vtt", "verbose_json"}


def transcript_request(form: Form, offer: Offer) -> TranscriptRequest:
    """Return what a form asks for.

    Raises:
        ApiError: 400 or 404; names the field.
    """
    model = offer.named(form.one("model"), offer.model)
    response_format = _format(form)
    asked = _granularities(form, response_format)
    stream = _yes(form, "stream")
    if stream and response_format not in {"json", "text"}:
        message = f"stream=true gives text as it comes, no {response_format}; leave one of them out"
        raise ApiError(400, message, code="invalid_value", param="stream")
    prompt = form.one("prompt")
    if prompt is not None and len(prompt) > MOST_PROMPT:
        message = f"the prompt has more than {MOST_PROMPT} characters"
        raise ApiError(400, message, code="invalid_value", param="prompt")
    _check_temperature(form)
    takes = offer.engines[model] in TAKE_A_PROMPT
    return TranscriptRequest(
        model=model,
        language=language_of(form),
        prompt=prompt if takes else None,
        prompt_ignored=prompt is not None and not takes,
        response_format=response_format,
        words="word" in asked,
        segments="segment" in asked or not asked,
        subtitles=response_format == "verbose_json" and _yes(form, "subtitles"),
        stream=stream,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignRequest:
    """A request for the times of a text's words. ``heard_by`` hears which part of a long text is said where."""

    aligner: str
    heard_by: str
    language: str | None
    text: str


def align_request(form: Form, offer: Offer) -> AlignRequest:
    """Return what a form asks for.

    Raises:
        ApiError: 400 or 404; names the field.
    """
    text = " ".join((form.one("text") or "").split())
    if not text:
        message = "there is no text: send what is said as the form's field 'text'"
        raise ApiError(400, message, code="missing_text", param="text")
    aligner = offer.named(form.one("model"), offer.aligner or "")
    if not aligner:
        message = "this server has no model that aligns; [serve] aligner in its configuration names one"
        raise ApiError(400, message, code="unsupported_task", param="model")
    return AlignRequest(aligner=aligner, heard_by=offer.model, language=language_of(form), text=text)


def language_of(form: Form) -> str | None:
    """Return the language that was asked for, None where the model decides.

    Raises:
        ApiError: 400; it is the name of none.
    """
    said = form.one("language")
    if said is None or said.strip().lower() == "auto":
        return None
    if not _LANGUAGE.fullmatch(said.strip()):
        message = f"{said[:40]!r} is no language: give a code such as 'en', or an English name"
        raise ApiError(400, message, code="invalid_language", param="language")
    return said.strip()


def _format(form: Form) -> ResponseFormat:
    said = form.one("response_format") or "json"
    for known in FORMATS:
        if said == known:
            return known
    message = f"response_format {said[:40]!r}: one of {', '.join(FORMATS)}"
    raise ApiError(400, message, code="invalid_value", param="response_format")


def _granularities(form: Form, response_format: ResponseFormat) -> list[str]:
    asked = form.many("timestamp_granularities")
    for each in asked:
        if each not in GRANULARITIES:
            message = f"timestamp_granularities {each[:40]!r}: word or segment"
            raise ApiError(400, message, code="invalid_value", param="timestamp_granularities[]")
    if asked and response_format != "verbose_json":
        message = "timestamp_granularities need response_format verbose_json"
        raise ApiError(400, message, code="invalid_value", param="timestamp_granularities[]")
    return asked


def _yes(form: Form, name: str) -> bool:
    said = form.one(name) or "false"
    if said.lower() not in _TRUE:
        raise ApiError(400, f"{name} {said[:40]!r}: true or false", code="invalid_value", param=name)
    return _TRUE[said.lower()]


def _check_temperature(form: Form) -> None:
    """A sampling temperature is taken for what it is, and means nothing here: what is decoded should repeat."""
    said = form.one("temperature")
    try:
        fine = said is None or 0 <= float(said) <= 1
    except ValueError:
        fine = False
    if not fine:
        message = f"temperature {said[:40] if said else said!r}: a number from 0 to 1"
        raise ApiError(400, message, code="invalid_value", param="temperature")

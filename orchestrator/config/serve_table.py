"""The table ``[serve]``: what ``orchestrator serve`` offers, and what a request may take."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from orchestrator.config.fields import Name, Positive, Size, Text, VariableName
from orchestrator.config.model import Chinese


class ServeKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key that requests may carry: ``[serve.keys.NAME]``. The key itself stands in the environment, never here."""

    variable: Annotated[VariableName, Meta(description="environment variable that holds the key")]
    priority: Annotated[
        int,
        Meta(ge=-1000, le=1000, description="requests with a higher one are served first; default 0"),
    ] = 0


class ServeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What ``orchestrator serve`` offers, and what a request may take: ``[serve]``."""

    model: (
        Annotated[
            Name,
            Meta(description="transcribes where a request names no model, or whisper-1; default asr-small"),
        ]
        | None
    ) = None
    aligner: Annotated[Name, Meta(description="gives words their times; default aligner")] | None = None
    aliases: Annotated[
        dict[Text, Name], Meta(description="other names under which requests may ask for a model")
    ] = {}
    workers: Annotated[Positive, Meta(description="worker processes; default: by cores")] | None = None
    memory_budget: (
        Annotated[Size, Meta(description="of all workers together; default: by the machine or its container")]
        | None
    ) = None
    keep_warm: Annotated[
        list[Name],
        Meta(description="models that are loaded at the start and stay; the server is ready when they are"),
    ] = []
    unload_after_s: (
        Annotated[float, Meta(gt=0, description="other models are unloaded after so long without a request")]
        | None
    ) = None
    max_queue: Annotated[
        Positive, Meta(description="requests that may wait beyond those at work; more are answered 429")
    ] = 32
    max_upload: Annotated[Size, Meta(description="bytes of a recording; more is answered 413")] = "200MiB"
    max_audio_s: Annotated[
        float, Meta(gt=0, le=360_000, description="seconds of a recording; more is answered 413")
    ] = 14_400.0
    timeout_s: Annotated[
        float, Meta(gt=0, description="seconds a request may take once its recording is there")
    ] = 3600.0
    upload_timeout_s: Annotated[float, Meta(gt=0, description="seconds an upload may take")] = 300.0
    grace_s: Annotated[
        float, Meta(gt=0, description="seconds in which requests may finish when the server is stopped")
    ] = 30.0
    max_attempts: Annotated[
        Positive, Meta(description="how often a part of a recording is tried whose worker dies")
    ] = 2
    chinese: Annotated[
        Chinese,
        Meta(description="Chinese as Taiwan writes it and numbers in digits; digits only; or as heard (off)"),
    ] = "zh-TW"
    keys: Annotated[
        dict[Name, ServeKey], Meta(description="keys beside ORCHESTRATOR_API_KEY, each with its priority")
    ] = {}

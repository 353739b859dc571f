"""The table ``[recycle]``: when a pool replaces its workers."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from orchestrator.config.fields import Name, Positive, Size


class RecycleLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When a pool replaces a worker; sizes in bytes or as text such as "1.5GiB"."""

    max_jobs: Annotated[Positive, Meta(description="jobs a worker does")] | None = None
    max_rss: Annotated[Size, Meta(description="replaced after the job that went past it")] | None = None
    hard_rss: Annotated[Size, Meta(description="killed as soon as it goes past it")] | None = None
    max_age_s: Annotated[float, Meta(gt=0, description="seconds a worker lives")] | None = None
    max_idle_s: Annotated[float, Meta(gt=0, description="seconds a worker waits for work")] | None = None
    jitter: (
        Annotated[
            float, Meta(ge=0, le=1, description="share by which limits differ between workers; default 0.1")
        ]
        | None
    ) = None
    trim_every: Annotated[Positive, Meta(description="jobs between two heap trims")] | None = None
    auto: (
        Annotated[bool, Meta(description="learn the growth, and recycle before the memory budget is broken")]
        | None
    ) = None


class RecycleConfig(RecycleLimits, frozen=True):
    """When a pool replaces a worker: ``[recycle]``. A model with a table of its own follows that alone."""

    models: Annotated[dict[Name, RecycleLimits], Meta(description="limits of single models, by name")] = {}

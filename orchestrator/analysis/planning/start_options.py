"""Three ways to keep the workers of a model fresh, side by side: forked for every job, recycled cold, trimmed. Pure.

Megabytes are 1024² bytes. What each of them takes is worked out by who knows the measurements; here is which one is
chosen, and the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

NEAR = 0.1
"""Jobs per second that are within this share of the most are as good: then the least memory decides."""

Way = Literal["warm", "cold", "trim"]


class StartOption(msgspec.Struct, frozen=True, kw_only=True):
    """One way, for the workers of the plan together.

    Attributes:
        option: ``warm``: a fresh fork of a template for every job; ``cold``: workers that load for themselves and are
            recycled; ``trim``: the same with heap trims.
        words: What is done, such as ``cold, every 120 jobs``.
        start: How a model is started for it.
        max_jobs: Jobs after which a worker is replaced; None for never, or not known.
        trim_every: Jobs between two trims.
        workers: Workers side by side.
        workers_that_fit: How many of them the budget holds; None when not known.
        jobs_per_s: Jobs per second of all workers, their starts counted; None when not known.
        memory_mb: Most memory of all workers, a template counted once; None when not known.
        template_mb: The template's part of it.
        lacking: What is not known of it, and how to get to know it; why it cannot be done. In words, or empty.
        chosen: Whether the plan is made with it.
    """

    option: Way
    words: str
    start: Literal["warm", "cold"]
    max_jobs: int | None = None
    trim_every: int | None = None
    workers: int
    workers_that_fit: int | None = None
    jobs_per_s: float | None = None
    memory_mb: float | None = None
    template_mb: float | None = None
    lacking: str = ""
    chosen: bool = False


def choose(options: Sequence[StartOption]) -> tuple[list[StartOption], str]:
    """Mark the one to take among those whose figures are known; return them all, and why, in one sentence.

    It is the one with the least memory of those that do nearly the most jobs per second (:data:`NEAR`). Without a known
    one, nothing is marked and nothing said.
    """
    known = [one for one in options if one.jobs_per_s is not None and one.memory_mb is not None]
    if not known:
        return list(options), ""
    most = max(one.jobs_per_s or 0.0 for one in known)
    near = [one for one in known if (one.jobs_per_s or 0.0) >= (1 - NEAR) * most]
    best = min(near, key=lambda one: one.memory_mb or 0.0)
    marked = [msgspec.structs.replace(one, chosen=one is best) for one in options]
    return marked, _why(best, near, known)


def _why(best: StartOption, near: Sequence[StartOption], known: Sequence[StartOption]) -> str:
    if len(known) == 1:
        return f"{best.words}: the only way whose figures are known"
    if len(near) > 1:
        return f"{best.words}: the least memory of what does within {NEAR:.0%} of the most jobs per second"
    return f"{best.words}: it does the most jobs per second, by more than {NEAR:.0%}"

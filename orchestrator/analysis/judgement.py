"""What is said of one series of a run, in a form that files keep and every report shows.

A :class:`~orchestrator.analysis.verdict.Verdict` speaks about arrays; a judgement also knows which series
they came from and how it ended, and can be written as JSON: what is not known, or not finite, is None.
"""

from __future__ import annotations

from typing import Literal

import msgspec

JudgedAs = Literal[
    "leak", "plateau", "flat", "bounded", "slow-growth", "inconclusive", "crashed", "unavailable"
]
"""The words of a judgement: those of the analysis, and two for a series that did not come to its end."""


class Growth(msgspec.Struct, frozen=True):
    """What the growth is made of: MB per iteration by part; None where a channel is missing."""

    live_heap: float | None = None
    held_free: float | None = None
    outside_malloc: float | None = None
    file_pages: float | None = None
    swap: float | None = None


class ChannelJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """What one channel says by itself; rates in MB per iteration, None where they are not finite."""

    verdict: str
    rate_mb_per_iteration: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    warm_up: int = 0
    tolerance: float | None = None
    reasons: list[str] = []


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of one series. Rates are MB (1024² bytes) per iteration; intervals are 95 %.

    Attributes:
        experiment: Name of the experiment.
        series: Key of the series: a method, or ``method@variant``.
        method: ``recreate``, ``restart``, ``reuse`` or ``recycle``.
        verdict: The judgement in one word.
        outcome: How the series ended: ``completed``, ``crashed``, ``failed``, ``timeout``, …
        sentence: The same with its place and cause, such as ``crashed at iteration 3 …: SIGABRT``.
        boundary: Where the readings were taken: ``after_unload`` or ``after_infer``.
        iterations: How many readings were judged; a series that crashed has rates of those before.
        rate_mb_per_iteration: Growth of the channel that decided, after the warm-up.
        ci_low: Lower end of its interval.
        ci_high: Upper end of its interval.
        rate_channel: The channel that decided: ``rss``, ``rss_anon``, ``live``, ``nonmalloc`` or ``file``.
        rss_rate_mb_per_iteration: Growth of RSS.
        rss_ci_low: Lower end of its interval.
        rss_ci_high: Upper end of its interval.
        heap_rate_mb_per_iteration: Growth of the live heap; None without a heap channel.
        heap_ci_low: Lower end of its interval.
        heap_ci_high: Upper end of its interval.
        warm_up: Iterations at the start that were left out.
        tolerance: Growth per iteration above which it counts as a leak; None when nothing could be judged.
        reasons: Why, in plain words, the weightiest first.
        settle: What would settle it; empty when it is settled.
        composition: What the growth is made of.
        heap_off: Why there is no heap channel; None when there is one.
        channels: What every channel says by itself, by name; ``verdict`` is made of them.
    """

    experiment: str
    series: str
    method: str
    verdict: JudgedAs
    outcome: str
    sentence: str
    boundary: str
    iterations: int = 0
    rate_mb_per_iteration: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    rate_channel: str | None = None
    rss_rate_mb_per_iteration: float | None = None
    rss_ci_low: float | None = None
    rss_ci_high: float | None = None
    heap_rate_mb_per_iteration: float | None = None
    heap_ci_low: float | None = None
    heap_ci_high: float | None = None
    warm_up: int = 0
    tolerance: float | None = None
    reasons: list[str] = []
    settle: list[str] = []
    composition: Growth = Growth()
    heap_off: str | None = None
    channels: dict[str, ChannelJudgement] = {}

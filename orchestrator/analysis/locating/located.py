"""The answer of ``locate``: sites with their growth, and how much of the measured leak they explain.

Sizes are bytes unless the name says MB (1024² bytes); rates are per iteration.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from orchestrator.analysis.locating.frames import Frame
from orchestrator.analysis.locating.site_growth import Rate, SiteKind

LOCATED_SCHEMA = 1
MB = 1024**2

Outcome = Literal["located", "nothing", "inconclusive", "crashed", "failed", "timeout", "unavailable"]
"""``located``: there are leak sites; ``nothing``: there are none; the rest is how the traced worker ended instead."""


class StackLive(msgspec.Struct, frozen=True):
    """What one whole call stack kept alive at each boundary.

    ``held`` are the bytes with those that the allocator adds to each block; ``phase`` is that of the allocation.
    """

    frames: list[Frame]
    phase: str
    blocks: list[int]
    sizes: list[int]
    held: list[int]
    thread: str = ""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the code that keeps memory alive: stacks that are the same where it matters.

    ``held`` is the growth in bytes as the allocator counts them, ``requested`` without what it adds to each block.
    ``frames`` is the cut stack, innermost first, ``own`` the index of the first frame of the engine's own code in it
    (-1: none); ``stack`` is the whole one. ``levels`` are the live bytes as requested, before
    the settling iteration, after it, and after each block.
    ``python_type`` is the type of object, where the allocation is one of Python's.
    """

    kind: SiteKind
    phase: str
    frames: list[Frame]
    own: int
    held: Rate
    requested: Rate
    blocks: Rate
    levels: list[int]
    python_type: str = ""
    stack: list[Frame] = []


class Measured(msgspec.Struct, frozen=True):
    """The leak that the sites are held against, in MB per iteration; ``source`` says where it was measured.

    ``channel`` is what grew at that ``rate``: ``heap``, the live bytes of the C heap, as sites count them too; or
    ``resident``, where no live heap can be read: whole pages, with what the allocator holds.
    ``verdict`` is the rate of the newest run's verdict where another channel decided it, ``verdict_channel`` which.
    ``outside_mb`` is growth of the resident memory beyond that of the live heap, where there is some.
    """

    rate: Rate
    source: str
    outside_mb: Rate | None = None
    channel: Literal["heap", "resident"] = "heap"
    verdict: Rate | None = None
    verdict_channel: str = ""


class Cost(msgspec.Struct, frozen=True):
    """What tracing took. ``slowdown`` compares an iteration with the same one untraced."""

    seconds: float
    trace_bytes: int
    trace_bytes_per_iteration: float
    slowdown: float | None = None


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """What ``locate`` found for one method of an experiment, or for one function.

    The worker was traced: its times are not the engine's, and its memory is not judged.
    ``explained_mb`` is what the sites keep per iteration, ``passed_on_mb`` what the interpreter's free lists and caches
    of names keep besides, of which no site can be told; ``explained_percent`` is the sites' share of the measured leak.
    """

    schema: int = LOCATED_SCHEMA
    name: str
    method: str
    outcome: Outcome
    traced: bool = True
    tracer: str = ""
    warm_up: int = 0
    iterations: list[int] = []
    sites: list[Site] = []
    others: list[Site] = []
    measured: Measured | None = None
    explained_mb: float = 0.0
    passed_on_mb: float = 0.0
    explained_percent: float | None = None
    cause: str = ""
    how_to_get_it: str = ""
    stderr_tail: str = ""
    notes: list[str] = []
    cost: Cost | None = None

"""How much of the measured leak the sites explain, and what lies outside of ``malloc``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orchestrator.analysis.locating.located import MB, Measured, Site
from orchestrator.analysis.locating.site_growth import Rate, growth
from orchestrator.analysis.locating.sites import PASSED_ON

TRACE_NOISE_MB = 0.01
"""Growth of resident memory per iteration below this is not spoken of: a page now and then."""


def passed_on(others: Sequence[Site]) -> float:
    """Return MB per iteration that grew under our worker's own frames or as names of attributes.

    CPython hands a freed tuple, list or float to whoever asks next. Where the engine keeps one that our worker had
    made, the block lies under our worker's line: it is in the measured leak, and no site of the engine's has it.
    """
    return sum(max(0.0, site.held.low) for site in others if site.kind in PASSED_ON) / MB


def against(run: Measured | None, own: Measured | None) -> Measured | None:
    """Return what the sites are held against: like with like, so a live heap wherever one was read.

    Args:
        run: The leak of the newest run.
        own: The growth of the live heap of the worker that did the same untraced.
    """
    if run is None or own is None:
        return run or own
    outside = msgspec.structs.replace(run, outside_mb=own.outside_mb)
    if run.channel == "heap":
        return outside
    return msgspec.structs.replace(own, verdict=run.rate, verdict_channel=run.verdict_channel)


def explained(sites: Sequence[Site], measured: Measured | None) -> tuple[float, float | None]:
    """Return MB per iteration that the sites explain, and in per cent of what was measured, where that grew."""
    found = sum(site.held.per_iteration for site in sites) / MB
    if measured is None or measured.rate.per_iteration <= 0 or measured.rate.low <= 0:
        return found, None
    return found, 100 * found / measured.rate.per_iteration


def measured_untraced(
    live: Sequence[int], resident: Sequence[int], iterations: Sequence[int]
) -> Measured | None:
    """Return the growth of a worker that did the same untraced, from its readings at the boundaries.

    ``live`` are bytes of the C heap in use, ``resident`` those of anonymous memory; empty where they cannot be read.
    """
    if len(live) < 2:
        return None
    heap = growth(live, iterations).scaled(1 / MB)
    return Measured(heap, "the same untraced", _outside(heap, live, resident, iterations))


def _outside(
    heap: Rate, live: Sequence[int], resident: Sequence[int], iterations: Sequence[int]
) -> Rate | None:
    if len(resident) != len(live):
        return None
    beyond = [whole - used for whole, used in zip(resident, live, strict=True)]
    rate = growth(beyond, iterations).scaled(1 / MB)
    grows = rate.low > 0 and rate.per_iteration > max(TRACE_NOISE_MB, 0.05 * abs(heap.per_iteration))
    return rate if grows else None

"""Judge the readings of a round: the analysis' verdict, with rates per call and the fine tolerance of a quiet heap.

A block of calls is one iteration for the analysis. What it accepts per iteration is meant for engines whose memory
stirs; here garbage is collected and the heap trimmed before each reading, so that the live heap stands still to the
byte, and 2 KB a block are growth.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from orchestrator.analysis import MemorySeries, Verdict, judge
from orchestrator.analysis.judging.channel import judge_channel
from orchestrator.analysis.judging.counts import COUNT_TOLERANCE
from orchestrator.analysis.judging.decision import CLEAN, ChannelVerdict
from orchestrator.analysis.judging.judged import (
    ChannelJudgement,
    CountJudgement,
    Growth,
    count_judgement,
    rates_of,
)
from orchestrator.analysis.judging.tolerance import LIVE_FLOOR_MB, tolerance_mb
from orchestrator.leakgate.call_session import BlockReading
from orchestrator.leakgate.result import RESOURCES, LeakCheckResult
from orchestrator.leakgate.rounds import Round

MB = 1 << 20
LIVE_MB = 0.002
"""Growth of the live heap a block that counts, MB."""
LIVE_BYTES = 1.0
"""The same per call, bytes, where a block has so many calls that it is more."""
OUTSIDE_BYTES = 16.0
"""The same for what is read from outside in pages."""
BLOCKS_A_CALL = 0.02
"""Python's blocks per call, where those are counted: one in fifty calls."""
_SURELY = 1.5
"""A leak of the tolerance itself is found every other time, of half as much again practically always."""
_SLOWED = 0.5
_RATES = ("rate_mb_per_iteration", "ci_low", "ci_high", "tolerance")
_OF_ALL = tuple(f"{channel}_{name}" for channel in ("rss", "heap") for name in _RATES[:3])


def judge_round(name: str, found: Round, counted: Collection[str], *, memory: bool = True) -> LeakCheckResult:
    """Return what a round of readings says of the function ``name``; ``counted`` are the resources that count."""
    readings, calls = found.readings, found.calls
    series = memory_series(readings)
    verdict = judge(series, tolerance=max(tolerance_mb(series.rss), OUTSIDE_BYTES * calls / MB))
    fine = _judge_live(series, calls)
    said = rates_of(verdict)
    word, reasons = verdict.verdict, list(verdict.reasons)
    if fine is not None and fine.verdict == "leak" and word != "leak":
        word, reasons = "leak", ["the live heap grows and is not given back", *fine.reasons]
        said |= _deciding(fine)
    if not memory:
        word, reasons = "flat", ["memory is not looked at here"]
    values: dict[str, Any] = {**_resources(readings, counted, calls), **_per_call(said, calls)}
    result = LeakCheckResult(
        experiment=name,
        series="reuse",
        method="reuse",
        verdict=word,
        outcome="completed",
        sentence=f"completed {found.before + calls * len(readings)} calls",
        boundary="after_infer",
        iterations=len(readings),
        reasons=reasons,
        settle=list(verdict.settle) if word not in CLEAN and word != "leak" else [],
        heap_off=readings[0].heap.off,
        calls=found.before + calls * len(readings),
        calls_per_reading=calls,
        smallest_leak_bytes=_smallest(verdict, fine, calls),
        python_blocks=_blocks(readings, calls) if memory else None,
        **values,
    )
    return result if memory else msgspec.structs.replace(result, smallest_leak_bytes=None)


def slowed(before: LeakCheckResult, now: LeakCheckResult) -> LeakCheckResult:
    """Return ``now`` as slow growth where a call keeps less than half of what it kept in the round ``before``."""
    then, rate = before.rate_mb_per_iteration, now.rate_mb_per_iteration
    if now.verdict != "leak" or then is None or rate is None or before.rate_channel != now.rate_channel:
        return now
    if rate >= _SLOWED * then:
        return now
    said = f"a call kept {then * MB:.0f} bytes in the first {before.calls} calls and {rate * MB:.0f} in those after"
    return msgspec.structs.replace(
        now, verdict="slow-growth", reasons=[said, *now.reasons], settle=["more calls: a larger max_time"]
    )


def memory_series(readings: Sequence[BlockReading]) -> MemorySeries:
    """Return the readings in MB.

    Free memory was given back before each reading, so that what the allocator still calls free is not resident.
    """
    memory = [each.memory for each in readings]
    on = all(each.heap.off is None for each in readings)
    live = [each.heap.live for each in readings] if on else None
    return MemorySeries.of(
        np.asarray([each.rss for each in memory], dtype=np.float64) / MB,
        rss_anon_mb=_mb([each.rss_anon for each in memory]),
        rss_shmem_mb=_mb([each.rss_shmem for each in memory]),
        swap_mb=_mb([each.swap for each in memory]),
        live_mb=_mb(live) if live else None,
        held_mb=np.zeros(len(readings)) if live else None,
        heap_off=None if on else readings[0].heap.off,
    )


def _mb(sizes: Sequence[int | None]) -> npt.NDArray[np.float64] | None:
    known = [size for size in sizes if size is not None]
    return np.asarray(known, dtype=np.float64) / MB if len(known) == len(sizes) else None


def _judge_live(series: MemorySeries, calls: int) -> ChannelVerdict | None:
    if series.live is None:
        return None
    tolerance = max(LIVE_MB, LIVE_BYTES * calls / MB)
    return judge_channel(series.live, tolerance, noise_floor=LIVE_FLOOR_MB, name="live")


def _deciding(fine: ChannelVerdict) -> dict[str, Any]:
    slope = fine.slope
    return {
        "rate_mb_per_iteration": slope.rate,
        "ci_low": slope.low,
        "ci_high": slope.high,
        "rate_channel": "live",
        "heap_rate_mb_per_iteration": slope.rate,
        "heap_ci_low": slope.low,
        "heap_ci_high": slope.high,
        "warm_up": fine.warm_up,
    }


def _smallest(verdict: Verdict, fine: ChannelVerdict | None, calls: int) -> float | None:
    """Return bytes per call: the tolerance that was used, and how finely the rate is known, of the finest channel."""
    decided = fine if fine is not None else dict(verdict.channels).get("rss_anon")
    if decided is None:
        return None
    slope = decided.slope
    width = slope.high - slope.low
    if not np.isfinite(width):
        return None
    return float(_SURELY * decided.tolerance + width) * MB / calls


def _blocks(readings: Sequence[BlockReading], calls: int) -> CountJudgement | None:
    """Judge Python's own blocks; there are none where its objects lie in the C heap."""
    blocks = [each.blocks for each in readings]
    return _count(blocks, "blocks", calls, tolerance=max(1.0, BLOCKS_A_CALL * calls)) if all(blocks) else None


def _resources(
    readings: Sequence[BlockReading], counted: Collection[str], calls: int
) -> dict[str, CountJudgement | None]:
    found: dict[str, CountJudgement | None] = {}
    for name in RESOURCES:
        counts = [getattr(each.resources, name) for each in readings]
        known = name in counted and all(count is not None for count in counts)
        found[name] = _count(counts, name.replace("_", " "), calls) if known else None
    return found


def _count(
    counts: Sequence[int], name: str, calls: int, tolerance: float = COUNT_TOLERANCE
) -> CountJudgement | None:
    judged = count_judgement(np.asarray(counts, dtype=np.float64), name, tolerance=tolerance)
    if judged is None:
        return None
    scaled = {key: _scaled(getattr(judged, key), calls) for key in ("rate_per_iteration", *_RATES[1:])}
    return msgspec.structs.replace(judged, **scaled)


def _per_call(said: dict[str, Any], calls: int) -> dict[str, Any]:
    """Return the rates of a block as rates of a call."""
    scaled = said | {key: _scaled(said[key], calls) for key in (*_RATES, *_OF_ALL)}
    parts: Growth = said["composition"]
    scaled["composition"] = Growth(
        **{key: _scaled(value, calls) for key, value in msgspec.structs.asdict(parts).items()}
    )
    channels: dict[str, ChannelJudgement] = said["channels"]
    scaled["channels"] = {
        name: msgspec.structs.replace(each, **{key: _scaled(getattr(each, key), calls) for key in _RATES})
        for name, each in channels.items()
    }
    return scaled


def _scaled(value: float | None, calls: int) -> float | None:
    return None if value is None else value / calls
